"""Checkpoints on disk: written whole or not at all, checked when read, and read without running code."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

_HEADER = b"tuner checkpoint 1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size


def save(path: Path, state: dict[str, Any], admit: Callable[[int], object] = lambda _: None) -> None:
    """Write `state` (tensors and plain values) so that a reader sees the old file or the new one, never a part.

    A digest stands before the state: torch's own format does not notice when the bytes of a tensor have changed.
    `admit` is told how many bytes come before any is written, and may raise. A save that is killed leaves a file named
    `*.partial`.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    admit(len(_HEADER) + _DIGEST_BYTES + len(content))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not the process's number: two machines that share the folder may give the same one.
    partial = path.with_suffix(f".{secrets.token_hex(8)}.partial")
    try:
        with partial.open("wb") as file:
            file.writelines((_HEADER, hashlib.sha256(content).digest(), content))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote, onto the CPU.

    Raises:
        ValueError: the file is damaged or holds more than tensors and plain values.
    """
    written = path.read_bytes()
    start = len(_HEADER) + _DIGEST_BYTES
    content = memoryview(written)[start:]
    if written[:start] != _HEADER + hashlib.sha256(content).digest():
        raise ValueError(f"{path} is no checkpoint, or was changed since it was written; delete it to start afresh")
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        message = f"{path} holds more than tensors and plain values, and is not read; delete it to start afresh"
        raise ValueError(message) from error
    return state
