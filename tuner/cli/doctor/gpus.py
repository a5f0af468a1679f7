"""Whether torch can use the GPUs that are here: its build, the driver, and what its programs are compiled for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuner.cli.doctor.found import GIB, Check


@dataclass(frozen=True)
class Gpu:
    """A device as torch sees it; `architecture` is what its programs are compiled for, such as sm_90."""

    name: str
    memory_bytes: int
    architecture: str


def gpu() -> Check:
    """Look whether torch can use the GPUs that are there."""
    import torch  # seconds to import

    found: list[Gpu] = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            one = torch.cuda.get_device_properties(index)
            found.append(Gpu(one.name, one.total_memory, f"sm_{one.major}{one.minor}"))
    compiled = torch.cuda.get_arch_list() if found else []
    return usable_gpus(found, compiled, torch.version.cuda, driver(), is_there=Path("/dev/nvidia0").exists())


def usable_gpus(
    found: Sequence[Gpu], compiled: Sequence[str], cuda: str | None, driver: str, *, is_there: bool
) -> Check:
    """Return whether a torch built for `cuda`, with programs `compiled` for these architectures, can use the GPUs."""
    fits = "install the torch that fits the driver (https://pytorch.org/get-started/locally), or a newer driver"
    built = f"this torch is built for CUDA {cuda}" if cuda else "this torch is CPU only"
    with_driver = f"; the driver is {driver}" if driver else "; no driver is loaded"
    if not found and is_there:
        return Check("gpu", False, f"a device that torch cannot use; {built}{with_driver}", fits)
    if not found:
        return Check("gpu", None, "none; trials run on the processors")
    strange = [one for one in found if not _runs(one.architecture, compiled)]
    if strange:
        names = ", ".join(dict.fromkeys(f"{one.name} ({one.architecture})" for one in strange))
        return Check("gpu", False, f"{names}: this torch has programs for {', '.join(compiled)} alone", fits)
    return Check("gpu", True, ", ".join(f"{one.name} {one.memory_bytes / GIB:.0f} GiB" for one in found))


def driver(path: Path = Path("/proc/driver/nvidia/version")) -> str:
    """Return the version of NVIDIA's driver; empty where none is loaded."""
    try:
        words = path.read_text().splitlines()[0].split()
    except (OSError, IndexError):
        return ""
    return next((word for word in words if word.count(".") >= 1 and word.replace(".", "").isdecimal()), "")


def _runs(architecture: str, compiled: Sequence[str]) -> bool:
    """Tell whether there are programs for it: its own, an older one's of its generation, or what is compiled for it."""
    own = _number(architecture)
    for one in compiled:
        if one.startswith("compute_") and _number(one) <= own:
            return True
        if one.startswith("sm_") and _number(one) // 10 == own // 10 and _number(one) <= own:
            return True
    return not compiled


def _number(architecture: str) -> int:
    digits = "".join(filter(str.isdecimal, architecture))
    return int(digits) if digits else 0
