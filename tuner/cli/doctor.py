"""What works on this machine, and what to do where something does not."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tuner.cli.output import print_json, print_tables, wants_json
from tuner.errors import ServiceError, TunerError
from tuner.home import home
from tuner.search.doctor import probe_ray
from tuner.tracking import destination, probe_mlflow

GIB = 2**30
LEAST_DISK_GIB = 2.0
LEAST_MEMORY_GIB = 2.0
LEAST_SHARED_MEMORY_GIB = 1.0
"""Ray keeps the dataset in /dev/shm; Docker gives 64 MiB of it unless told otherwise."""


@dataclass(frozen=True)
class Check:
    """What was found of one thing; `ok` is none where it is neither needed nor wrong."""

    name: str
    ok: bool | None
    found: str
    advice: str = ""


def doctor(json: bool = False) -> int:
    """Print every check and return the exit code: 3 where something does not work."""
    found = checks(start_ray=True)
    works = all(check.ok is not False for check in found)
    if wants_json(json):
        print_json({"ok": works, "checks": [asdict(check) for check in found]})
    else:
        _print(found)
    return 0 if works else ServiceError.exit_code


def checks(start_ray: bool = False) -> list[Check]:
    """Check all that a study needs; no check raises. Ray takes seconds to start, and is only started on request."""
    return [
        _told(name, check)
        for name, check in {
            "python": _python,
            "processors": _processors,
            "memory": _memory,
            "shared memory": _shared_memory,
            "home": _home,
            "torch": _torch,
            "gpu": _gpu,
            "ray": _ray if start_ray or os.environ.get("RAY_ADDRESS") else _ray_version,
            "ray access": _ray_access,
            "mlflow": _mlflow,
            "fashion_mnist": _fashion_mnist,
        }.items()
    ]


def _told(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except (TunerError, OSError, ImportError, RuntimeError, ValueError) as error:
        return Check(name, False, "does not work", str(error))


def _python() -> Check:
    return Check("python", True, f"{platform.python_version()} at {sys.executable}")


def _processors() -> Check:
    return Check("processors", True, f"{_usable_processors()} usable of {os.cpu_count()}")


def _memory() -> Check:
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    total, available = (int(lines[key].split()[0]) * 1024 / GIB for key in ("MemTotal", "MemAvailable"))
    limit = Path("/sys/fs/cgroup/memory.max")
    bound = limit.read_text().strip() if limit.exists() else "max"
    limited = f", this container may use {int(bound) / GIB:.1f}" if bound != "max" else ""
    least = min(available, int(bound) / GIB) if bound != "max" else available
    found = f"{available:.1f} GiB free of {total:.1f}{limited}"
    return _enough("memory", least, LEAST_MEMORY_GIB, found, "close other programs, or run fewer trials at a time")


def _shared_memory() -> Check:
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return Check("shared memory", None, "this system has no /dev/shm")
    usage = shutil.disk_usage(folder)
    found = f"{usage.free / GIB:.1f} GiB free of {usage.total / GIB:.1f}"
    advice = "give the container more: docker run --shm-size=2g, or shm_size in compose.yaml"
    return _enough("shared memory", usage.free / GIB, LEAST_SHARED_MEMORY_GIB, found, advice)


def _home() -> Check:
    folder = home()
    nearest = next(place for place in (folder, *folder.parents) if place.is_dir())
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"x")
    except OSError as error:
        advice = f"set TUNER_HOME to a folder that can be written, or change the rights of {nearest}"
        return Check("home", False, f"{folder} cannot be written: {error.strerror}", advice)
    free = shutil.disk_usage(nearest).free / GIB
    return _enough("home", free, LEAST_DISK_GIB, f"{folder}, {free:.1f} GiB free", "free disk, or move TUNER_HOME")


def _torch() -> Check:
    import torch  # seconds to import

    return Check("torch", True, f"{torch.__version__}, {torch.get_num_threads()} threads")


def _gpu() -> Check:
    import torch  # seconds to import

    if torch.cuda.is_available():
        devices = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
        return Check("gpu", True, ", ".join(f"{one.name} {one.total_memory / GIB:.0f} GiB" for one in devices))
    if Path("/dev/nvidia0").exists():
        built = f"this torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "this torch is CPU only"
        return Check("gpu", False, f"a device that torch cannot use; {built}", "install the torch that fits the driver")
    return Check("gpu", None, "none; trials run on the processors")


def _ray() -> Check:
    return Check("ray", True, probe_ray())


def _ray_version() -> Check:
    from importlib.metadata import version  # for this check alone

    return Check("ray", None, f"Ray {version('ray')}, not started")


def _ray_access() -> Check:
    mode = os.environ.get("RAY_AUTH_MODE", "")
    if not os.environ.get("RAY_ADDRESS") and not mode:
        return Check("ray access", True, "started here, with a token that only the study knows")
    if mode == "disabled":
        advice = "set RAY_AUTH_MODE=token, and the same token on every node"
        return Check("ray access", None, "without a token: who reaches the cluster can run programs on it", advice)
    if os.environ.get("RAY_AUTH_TOKEN"):
        return Check("ray access", True, "token from RAY_AUTH_TOKEN")
    return _token_file(Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser())


def _token_file(path: Path) -> Check:
    if not path.is_file():
        advice = "set RAY_AUTH_TOKEN_PATH to a file with the cluster's token"
        return Check("ray access", False, f"no token: {path} does not exist", advice)
    if not path.read_text().strip():
        return Check("ray access", False, f"{path} is empty", "write the cluster's token into it")
    if path.stat().st_mode & 0o077:
        return Check("ray access", False, f"token in {path}, which others can read", f"chmod 600 {path}")
    return Check("ray access", True, f"token from {path}")


def _mlflow() -> Check:
    return Check("mlflow", True, probe_mlflow(destination()))


def _fashion_mnist() -> Check:
    from tuner.datasets.cache import cache_folder  # imports torch
    from tuner.datasets.fashion_mnist import DEBIAN_FOLDER  # imports torch

    places = (DEBIAN_FOLDER, cache_folder() / "fashion_mnist")
    for place in places:
        if (place / "train-images-idx3-ubyte.gz").is_file():
            return Check("fashion_mnist", True, str(place))
    advice = "apt install dataset-fashion-mnist, or let the first study download it"
    return Check("fashion_mnist", None, "not here yet", advice)


def _usable_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _enough(name: str, gib: float, least: float, found: str, advice: str) -> Check:
    return Check(name, True, found) if gib >= least else Check(name, False, found, f"at least {least:g} GiB: {advice}")


def _print(found: list[Check]) -> None:
    from rich.table import Table  # a tenth of a second, not needed for JSON

    table = Table("", "what", "found", "what to do", box=None)
    marks = {True: "[green]ok[/green]", False: "[red]no[/red]", None: "-"}
    for check in found:
        table.add_row(marks[check.ok], check.name, check.found, "" if check.ok else check.advice)
    print_tables(table)
