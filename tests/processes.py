"""Run the real command in a process of its own, as a user does, with its own TUNER_HOME."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.readme import ROOT

TUNER = [sys.executable, "-c", "from tuner.cli import main; main()"]


def start(home: Path, *arguments: str, cwd: Path = ROOT, **settings: str) -> subprocess.Popen[str]:
    """Start `tuner`, by default in the repository's folder, with nothing of the caller's Ray, MLflow, tuner settings.

    Ray's workers give way to everything else by default, and starve where other work keeps a machine busy.
    """
    own = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "TUNER_"))}
    return subprocess.Popen(
        [*TUNER, *arguments],
        cwd=cwd,
        env=own | {"TUNER_HOME": str(home), "RAY_worker_niceness": "0"} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tuner(home: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """Run `tuner` to its end; return its exit code, standard output and standard error."""
    process = start(home, *arguments, **settings)
    out, err = process.communicate(timeout=480)
    return process.returncode, out, err
