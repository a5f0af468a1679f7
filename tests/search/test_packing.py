"""Trials that share a GPU, which Ray only counts: after one ran out of memory fewer do, and it is tried once more."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.readme import ROOT


@pytest.mark.ray
@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_after_a_trial_ran_out_of_memory_fewer_share_the_gpu_and_it_ends_well(tmp_path):
    own = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "TUNER_"))}
    path = f"{ROOT}{os.pathsep}{tmp_path}"
    ours = {"PYTHONPATH": path, "TUNER_HOME": str(tmp_path / "home"), "RAY_worker_niceness": "0"}
    ours["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"  # below `uv run` Ray would give its workers a copy of the folder
    done = subprocess.run(
        [sys.executable, "-m", "tests.search.packing"],
        cwd=tmp_path, env=own | ours, capture_output=True, text=True, check=False, timeout=580,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert [state for state, _ in found["ends"]] == ["complete"] * len(found["ends"]), found
    assert any(
        "memory ran out, so trials that begin later take resources.gpus: 0.5 each" in one for one in found["warnings"]
    )
    assert set(found["shares"]) == {0.333, 0.5}
    assert found["shares"][0] == 0.333
    assert found["shares"][-1] == 0.5
