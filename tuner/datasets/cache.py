"""Where downloads and decoded images are kept between runs, and how a file gets there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

from tuner.home import home


def cache_folder() -> Path:
    """Return the folder of data that can be made again; it may be deleted at any time."""
    return home() / "cache"


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that no reader ever sees a part of it, not even after a crash.

    Raises:
        OSError: the folder cannot be written, or the disk is full; the file is as it was before.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder if need be, and let one process at a time work on what is in it.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        yield
