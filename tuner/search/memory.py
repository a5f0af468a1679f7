"""Whether memory ran out, and how much there is: what a person needs to choose smaller trials, or fewer at a time."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import torch

_GIB = 2**30

# What CPU's allocator and NVIDIA's libraries say is a plain RuntimeError.
_OUT_OF_MEMORY_WORDS = ("can't allocate memory", "ALLOC_FAILED")

ROOM_SECONDS = 60.0
"""How long a trial waits for memory: a process that was killed has given its own back long before."""

_PAUSE_SECONDS = 0.5

_SURE_SHARE = 0.8
"""Of a share of a GPU: the rest may be contexts, and what a display holds."""


def wanted_bytes(measured: int | None, share: float, total_bytes: int) -> int:
    """Return what a trial needs of its GPU: as measured, or else most of what its share of it stands for."""
    return measured if measured is not None else int(_SURE_SHARE * min(1.0, share) * total_bytes)


def wait_for_room(wanted: int, free: Callable[[], int], seconds: float = ROOM_SECONDS) -> int | None:
    """Wait until so many bytes are free, and return None; where they never are, what was free in the end."""
    deadline = time.monotonic() + seconds
    while (found := free()) < wanted:
        if time.monotonic() >= deadline:
            return found
        time.sleep(_PAUSE_SECONDS)
    return None


def occupied(device: str, wanted: int, free: int) -> str:
    """Say that a GPU never had what a trial needs."""
    return (
        f"{device} has {free / _GIB:.2f} GiB free, and the trial needs {wanted / _GIB:.2f}: other processes hold the "
        "rest (`nvidia-smi` shows which); end them, or give trials a larger resources.gpus"
    )


def ran_out(error: BaseException) -> bool:
    """Tell whether memory ran out, on the device or off it; by name, for libraries have errors of their own."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY_WORDS)


def in_words(device: torch.device) -> str:
    """Say how much memory the device (for the CPU, the machine) has free, and how much this process holds of it."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return _numbers(torch.cuda.get_device_name(device), free, total, torch.cuda.memory_reserved(device))
    machine = psutil.virtual_memory()
    return _numbers("the machine", machine.available, machine.total, psutil.Process().memory_info().rss)


def _numbers(what: str, free: int, total: int, own: int) -> str:
    return f"{what} has {free / _GIB:.2f} of {total / _GIB:.2f} GiB free, this process holds {own / _GIB:.2f} GiB"
