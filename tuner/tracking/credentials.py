"""Who we are to a tracking server: MLFLOW_TRACKING_USERNAME and _PASSWORD, or files named by these with `_FILE`."""

from __future__ import annotations

import os
from pathlib import Path

NAMES = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


def take_credentials() -> None:
    """Set what files hold where MLflow looks for it; they are read anew each time, for passwords change.

    Raises:
        ValueError: a file is missing or empty; it is named, and what stands in the others is not.
    """
    for name in NAMES:
        path = os.environ.get(f"{name}_FILE")
        if path:
            os.environ[name] = _content(name, Path(path))


def _content(name: str, path: Path) -> str:
    try:
        content = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ValueError(f"{name}_FILE names {path}, which cannot be read: {reason}") from None
    if not content:
        raise ValueError(f"{name}_FILE names {path}, which is empty; write the value into it")
    return content
