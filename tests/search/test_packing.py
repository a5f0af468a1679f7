"""Trials that share a GPU, which Ray only counts: fewer after one ran out of memory, none while another measures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.readme import ROOT

pytestmark = [pytest.mark.ray, pytest.mark.heavy, pytest.mark.timeout(600)]


def said_by(program: str, folder: Path) -> dict[str, Any]:
    """Run one of this folder's programs, and return the document that it prints."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "TUNER_"))}
    ours = {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "TUNER_HOME": str(folder / "home"), "RAY_worker_niceness": "0"}
    ours["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"  # below `uv run` Ray would give its workers a copy of the folder
    done = subprocess.run(
        [sys.executable, "-m", f"tests.search.{program}"],
        cwd=folder, env=own | ours, capture_output=True, text=True, check=False, timeout=580,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_after_a_trial_ran_out_of_memory_fewer_share_the_gpu_and_it_ends_well(tmp_path):
    found = said_by("packing", tmp_path)
    assert [state for state, _ in found["ends"]] == ["complete"] * len(found["ends"]), found
    assert any(
        "memory ran out, so trials that begin later take resources.gpus: 0.5 each" in one for one in found["warnings"]
    )
    assert set(found["shares"]) == {0.333, 0.5}
    assert found["shares"][0] == 0.333
    assert found["shares"][-1] == 0.5


def test_a_study_gives_its_gpu_to_one_that_measures_as_its_trials_end_and_goes_on(tmp_path):
    found = said_by("giving", tmp_path)
    *waiting, ended_then = found["said"]
    assert waiting == ["waiting: 1 CPUs and 1 GPUs are not free to try a trial on", ""]
    assert 2 <= ended_then < found["ended"] == 8
