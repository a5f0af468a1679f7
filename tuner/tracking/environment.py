"""What a study ran with: versions, the commit of the code in the current folder, the GPUs of this machine."""

from __future__ import annotations

import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = {"tuner": "mixup-tuner", **{name: name for name in ("torch", "ray", "optuna", "mlflow")}}

COMMIT_TAG = "mlflow.source.git.commit"
"""MLflow shows it as the run's source version."""

_GIT_SECONDS = 5.0


def environment() -> dict[str, str]:
    """Return the environment as tags of the study's run; what cannot be found out is left out."""
    versions = {f"environment.{name}": _version(package) for name, package in _PACKAGES.items()}
    found = {**versions, "environment.python": platform.python_version(), "environment.gpus": _gpus()}
    return {name: value for name, value in {**found, COMMIT_TAG: _commit()}.items() if value}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a folder of sources
        return ""


def _commit() -> str:
    """Return the commit that is checked out in the current folder; empty where that is none of a git repository."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=_GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _gpus(drivers: Path = Path("/proc/driver/nvidia/gpus")) -> str:
    """Return the GPUs by name; asked of the kernel, for CUDA would hold memory of theirs as long as the study runs."""
    try:
        told = [path.read_text() for path in sorted(drivers.glob("*/information"))]
    except OSError:
        return ""
    named = [found[1].strip() for text in told if (found := re.search(r"^Model:(.*)$", text, re.MULTILINE))]
    return ", ".join(f"{named.count(name)} x {name}" for name in dict.fromkeys(named))
