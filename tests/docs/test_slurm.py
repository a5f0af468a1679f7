"""The script for Slurm: well-formed, and a whole study by it, with Slurm's commands played by small ones of our own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.readme import ROOT

SCRIPT = ROOT / "docs/slurm/tuner.sbatch"

SRUN = """#!/bin/bash
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
"""


def called(*command: object, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def test_the_script_is_well_formed():
    assert called("bash", "-n", SCRIPT).returncode == 0
    done = called(Path(sys.executable).parent / "shellcheck", "--severity=style", SCRIPT)
    assert done.returncode == 0, done.stdout


def test_it_says_what_it_needs(tmp_path):
    own = {"PATH": os.environ["PATH"]}
    done = called("bash", SCRIPT, env=own)
    assert (done.returncode, "usage: sbatch" in done.stderr) == (2, True)
    done = called("bash", SCRIPT, "digits", env=own)
    assert (done.returncode, "TUNER_HOME" in done.stderr) == (1, True)


@pytest.mark.ray
@pytest.mark.heavy
@pytest.mark.timeout(400)
def test_a_study_runs_by_it_with_a_token_of_its_own_and_nothing_is_left(tmp_path):
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name, text in {
        "srun": SRUN,
        "scontrol": "#!/bin/sh\necho localhost\n",
        "tuner": f'#!/bin/sh\nexec "{sys.executable}" -m tuner "$@"\n',
    }.items():
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    home, number = tmp_path / "home", str(os.getpid() + 100_000)
    own = {
        key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "TUNER_", "SLURM_"))
    }
    slurm = {
        "SLURM_JOB_ID": number,
        "SLURM_JOB_NODELIST": "localhost",
        "SLURM_JOB_NUM_NODES": "1",
        "SLURM_CPUS_PER_TASK": "1",
    }
    path = f"{bin_}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"
    changes = ("search.trials=2", "confirm.seeds=0", "trial.training.epochs=2", "scheduler.name=fifo")
    small = [*(word for change in changes for word in ("--set", change)), "--json"]
    ours = {"PATH": path, "PYTHONPATH": str(ROOT), "TUNER_HOME": str(home), "RAY_worker_niceness": "0"}
    done = called("bash", SCRIPT, "digits", *small, env={**own, **slurm, **ours}, cwd=ROOT)
    shutil.rmtree(f"/tmp/ray-{number}", ignore_errors=True)
    assert done.returncode == 0, done.stderr
    document = done.stdout[done.stdout.index("\n{") + 1 :] if not done.stdout.startswith("{") else done.stdout
    assert json.JSONDecoder().raw_decode(document)[0]["trials"]["complete"] == 3
    assert not list(home.glob(".ray-token-*"))
