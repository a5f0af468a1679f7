"""Where things live on disk: everything under TUNER_HOME (default ./tuner-home)."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return TUNER_HOME as an absolute path; it need not exist yet."""
    return Path(os.environ.get("TUNER_HOME") or "tuner-home").absolute()


def studies_directory() -> Path:
    """Return the folder that holds one folder a study."""
    return home() / "studies"


def study_directory(name: str) -> Path:
    """Return a study's folder: Optuna's journal, checkpoints, the record of unsent events."""
    return studies_directory() / name
