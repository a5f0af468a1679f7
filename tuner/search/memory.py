"""Whether memory ran out, and how much there is: what a person needs to choose smaller trials, or fewer at a time."""

from __future__ import annotations

from pathlib import Path

import torch

_GIB = 2**30

# What CPU's allocator and NVIDIA's libraries say is a plain RuntimeError.
_OUT_OF_MEMORY_WORDS = ("can't allocate memory", "ALLOC_FAILED")


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
    machine, own = _kibibytes("/proc/meminfo"), _kibibytes("/proc/self/status")
    if not {"MemAvailable", "MemTotal"} <= machine.keys() or "VmRSS" not in own:
        return "how much there is cannot be told on this system"
    return _numbers("the machine", machine["MemAvailable"] * 1024, machine["MemTotal"] * 1024, own["VmRSS"] * 1024)


def _numbers(what: str, free: int, total: int, own: int) -> str:
    return f"{what} has {free / _GIB:.2f} of {total / _GIB:.2f} GiB free, this process holds {own / _GIB:.2f} GiB"


def _kibibytes(file: str) -> dict[str, int]:
    """Return the lines `name: number kB` of one of Linux's files; none on another system."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return {}
    found = (line.partition(":") for line in lines if line.endswith(" kB"))
    return {name: int(value.split()[0]) for name, _, value in found}
