"""Where things live on disk: everything under TUNER_HOME (default ./tuner-home)."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from tuner.errors import UsageError

NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
NAME_IN_WORDS = "1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends"


def home() -> Path:
    """Return TUNER_HOME as an absolute path; it need not exist yet."""
    return Path(os.environ.get("TUNER_HOME") or "tuner-home").absolute()


def studies_directory() -> Path:
    """Return the folder that holds one folder a study."""
    return home() / "studies"


def check_name(name: str) -> None:
    """Check that a name can be a study's: it names folders, an MLflow experiment, an Optuna study and Ray jobs.

    Raises:
        UsageError: it cannot.
    """
    if not re.fullmatch(NAME, name):
        raise UsageError(f"{name!r} is no study's name; wanted {NAME_IN_WORDS}")


def study_directory(name: str) -> Path:
    """Return a study's folder: Optuna's journal, checkpoints, the record of unsent events.

    Raises:
        UsageError: it can be no study's name; so nothing outside of TUNER_HOME is ever meant.
    """
    check_name(name)
    return studies_directory() / name


def kept_code(name: str) -> Path:
    """Return the folder that keeps the user's own code of a study that a cluster's job runs; it need not exist."""
    return study_directory(name) / "code"


def require_writable() -> None:
    """Check that TUNER_HOME can be written, before anything is loaded or started.

    Raises:
        UsageError: it cannot.
    """
    try:
        home().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home()):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{home()} cannot be written ({reason}); set TUNER_HOME to a folder that can") from error


def write_whole(path: Path, text: str) -> None:
    """Write a text so that a reader, a kill or a full disk finds the old one or the new one, never a part."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
