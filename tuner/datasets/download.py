"""Fetch published files over the network, once for all processes; what could not be fetched is a ServiceError."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5 as md5_of
from http.client import HTTPException
from pathlib import Path

from tuner.datasets.cache import locked
from tuner.errors import ServiceError


def download_once(folder: Path, *, is_complete: Callable[[], bool], fetch: Callable[[], None], otherwise: str) -> None:
    """Call `fetch` to fill `folder`, unless it is complete; other processes wait and find it done.

    `otherwise` tells a person without a network how else to get the data.

    Raises:
        ServiceError: the network, the server or the disk does not let the files arrive whole.
    """
    if is_complete():
        return
    try:
        with locked(folder):
            if not is_complete():
                fetch()
    except (OSError, RuntimeError, HTTPException) as error:
        raise ServiceError(f"could not download to {folder}: {error}; {otherwise}") from error


def is_whole(path: Path, md5: str) -> bool:
    """Return whether a file is there with the content that its publisher states."""
    return path.is_file() and has_digest(path.read_bytes(), md5)


def has_digest(content: bytes, md5: str) -> bool:
    """Return whether the content is the one that its publisher states."""
    return md5_of(content, usedforsecurity=False).hexdigest() == md5
