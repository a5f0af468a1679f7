"""Decode the files of a listing once, on threads, and keep the bytes in TUNER_HOME/cache for the next time.

The key is made of everything that the pixels depend on: folder, size, channels, and each file's name, size and
modification time. A damaged or unwritable cache costs time, never a run.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import UnidentifiedImageError

from tuner.datasets.cache import cache_folder, locked, write_atomically
from tuner.datasets.decode import UNREADABLE, decoded
from tuner.datasets.listing import Listing

_FORMAT = 1
_FILES_A_TASK = 64
"""So many files make one task of a thread: for small images a task a file costs more than the decoding."""


@dataclass(frozen=True)
class Decoded:
    """The images of the readable files in the listing's order, and why each of the others could not be read."""

    images: UInt8[np.ndarray, "n channels size size"]
    unreadable: dict[str, str]
    warnings: tuple[str, ...] = ()


def load_decoded(listing: Listing, size: int, channels: int) -> Decoded:
    """Return the images of a listing, from the cache if they are there; the array may be mapped from it, read-only."""
    place = cache_folder() / "image_folder" / _key(listing, size, channels)
    fresh: Decoded | None = None
    try:
        with locked(place):
            cached = _read(place, (len(listing.names), channels, size, size))
            if cached is not None:
                return cached
            fresh = _decode(listing, size, channels)
            _write(place, fresh)
            return fresh
    except (OSError, NotImplementedError) as error:
        warning = f"decoded images could not be kept in {place} and will be decoded again next time: {error}"
        return replace(fresh or _decode(listing, size, channels), warnings=(warning,))


def _key(listing: Listing, size: int, channels: int) -> str:
    files = [(name, *_signature(f"{listing.folder}/{name}")) for name in listing.names]
    content = json.dumps([_FORMAT, str(listing.folder.resolve()), size, channels, files])
    return sha256(content.encode()).hexdigest()[:32]


def _signature(path: str) -> tuple[int, int]:
    try:
        state = os.stat(path)
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


def _read(place: Path, wanted: tuple[int, int, int, int]) -> Decoded | None:
    """Return what is kept, or nothing when it is missing or damaged; the images are written last."""
    try:
        images = np.load(place / "images.npy", mmap_mode="r", allow_pickle=False)
        unreadable = json.loads((place / "unreadable.json").read_text())
    except (OSError, ValueError, EOFError):
        return None
    if images.dtype != np.uint8 or images.shape != (wanted[0] - len(unreadable), *wanted[1:]):
        return None
    return Decoded(images, unreadable)


def _write(place: Path, kept: Decoded) -> None:
    write_atomically(place / "unreadable.json", lambda file: file.write(json.dumps(kept.unreadable).encode()))
    write_atomically(place / "images.npy", lambda file: np.save(file, kept.images, allow_pickle=False))


def _decode(listing: Listing, size: int, channels: int) -> Decoded:
    images = np.empty((len(listing.names), channels, size, size), dtype=np.uint8)
    reasons: list[str] = [""] * len(listing.names)

    def decode_some(start: int) -> None:
        for row in range(start, min(start + _FILES_A_TASK, len(listing.names))):
            try:
                with open(f"{listing.folder}/{listing.names[row]}", "rb") as file:
                    images[row] = decoded(file.read(), size, channels)
            except UNREADABLE as error:
                reasons[row] = _reason(error)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(decode_some, range(0, len(listing.names), _FILES_A_TASK)))
    unreadable = {name: reason for name, reason in zip(listing.names, reasons, strict=True) if reason}
    readable = np.array([not reason for reason in reasons], dtype=bool)
    return Decoded(images[readable] if unreadable else images, unreadable)


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no image of a known format"
    return str(error).partition("\n")[0] or type(error).__name__
