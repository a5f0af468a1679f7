"""Files beside a run; one of the same name is replaced.

Imported by `store` alone: MLflow reads some of its settings when it is imported.
"""

from __future__ import annotations

import posixpath
import shutil
import tempfile
from pathlib import Path

from mlflow import MlflowClient


def log_file(client: MlflowClient, run_id: str, name: str, content: bytes | Path) -> None:
    """Keep a file with a run as `name`, which may have folders: `plots/response.svg`.

    Raises:
        OSError: the file that was named is not there any more.
        MlflowException: MLflow could not take it.
    """
    folder, file_name = posixpath.split(posixpath.normpath(name))
    with tempfile.TemporaryDirectory(prefix="tuner-") as place:
        # MLflow names what it takes after the file that it takes it from.
        path = Path(place) / file_name
        if isinstance(content, Path):
            _link(content, path)
        else:
            path.write_bytes(content)
        client.log_artifact(run_id, str(path), folder or None)


def _link(source: Path, path: Path) -> None:
    """Let a file be found under another name, without a copy where the system can do that."""
    if not source.is_file():
        raise FileNotFoundError(f"{source} is not there any more")
    try:
        path.symlink_to(source.absolute())
    except OSError:
        shutil.copyfile(source, path)
