"""What works on this machine: processors, memory, disk, files, the GPU's driver, and what its environment hides."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from tuner.cli.doctor.found import GIB, Check, enough
from tuner.home import home

LEAST_DISK_GIB = 2.0
LEAST_MEMORY_GIB = 2.0
LEAST_SHARED_MEMORY_GIB = 1.0
"""Ray keeps the dataset in /dev/shm; Docker gives 64 MiB of it unless told otherwise."""

LEAST_FILES = 4096
"""Each of Ray's processes keeps connections to all the others; Ray raises the soft limit by itself."""

_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "lustre", "beegfs", "ceph", "glusterfs", "gpfs", "fuse.sshfs", "9p", "afs"}


def python() -> Check:
    """Return which Python runs."""
    return Check("python", True, f"{platform.python_version()} at {sys.executable}")


def processors() -> Check:
    """Compare the processors with the threads that OMP_NUM_THREADS gives each process."""
    usable, given = usable_processors(), os.environ.get("OMP_NUM_THREADS", "")
    found = f"{usable} usable of {os.cpu_count()}"
    if not given:
        return Check("processors", True, found)
    if not given.isdecimal() or int(given) < 1:
        return Check(
            "processors", False, f"{found}; OMP_NUM_THREADS is {given!r}", "unset OMP_NUM_THREADS, or set it to 1"
        )
    if int(given) > usable:
        advice = "unset OMP_NUM_THREADS: a trial takes as many threads as its resources.cpus"
        return Check("processors", False, f"{found}; OMP_NUM_THREADS={given} is more than there are", advice)
    return Check("processors", True, f"{found}, OMP_NUM_THREADS={given}")


def memory() -> Check:
    """Look for enough free memory, also under a container's limit."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    total, available = (int(lines[key].split()[0]) * 1024 / GIB for key in ("MemTotal", "MemAvailable"))
    limit = Path("/sys/fs/cgroup/memory.max")
    bound = limit.read_text().strip() if limit.exists() else "max"
    limited = f", this container may use {int(bound) / GIB:.1f}" if bound != "max" else ""
    least = min(available, int(bound) / GIB) if bound != "max" else available
    found = f"{available:.1f} GiB free of {total:.1f}{limited}"
    return enough("memory", least, LEAST_MEMORY_GIB, found, "close other programs, or run fewer trials at a time")


def shared_memory(folder: Path = Path("/dev/shm")) -> Check:
    """Look for enough shared memory for the images of a data set."""
    if not folder.is_dir():
        return Check("shared memory", None, f"this system has no {folder}")
    usage = shutil.disk_usage(folder)
    found = f"{usage.free / GIB:.1f} GiB free of {usage.total / GIB:.1f}"
    return enough("shared memory", usage.free / GIB, LEAST_SHARED_MEMORY_GIB, found, SHARED_MEMORY_ADVICE)


SHARED_MEMORY_ADVICE = "give the container more: docker run --shm-size=2g, or shm_size in compose.yaml"


def files() -> Check:
    """Look at how many files a process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit_of_files("open files", soft, hard)


def limit_of_files(name: str, soft: int, hard: int) -> Check:
    """Return what a limit of open files means; the hard one counts."""
    most = sys.maxsize if hard == resource.RLIM_INFINITY else hard
    found = f"{soft} a process, {'unlimited' if most == sys.maxsize else most} at most"
    if most >= LEAST_FILES:
        return Check(name, True, found)
    return Check(
        name, False, found, f"raise it to {LEAST_FILES} or more: ulimit -n, or docker run --ulimit nofile=65536"
    )


def home_folder() -> Check:
    """Look whether TUNER_HOME can be written and has room, and whether its file system is fit for what lies there."""
    folder = home()
    nearest = next(place for place in (folder, *folder.parents) if place.is_dir())
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"x")
    except OSError as error:
        advice = f"set TUNER_HOME to a folder that can be written, or change the rights of {nearest}"
        return Check("home", False, f"{folder} cannot be written: {error.strerror}", advice)
    free = shutil.disk_usage(nearest).free / GIB
    return enough("home", free, LEAST_DISK_GIB, f"{folder}, {free:.1f} GiB free", "free disk, or move TUNER_HOME")


def file_system() -> Check:
    """Look whether files that several processes lock lie on a network's file system, which may not keep locks."""
    return fit_for_locks(file_system_of(home()), _locked_files())


def fit_for_locks(kind: str, kept: Sequence[str]) -> Check:
    """Return whether a file system does for what is kept there and locked, such as a journal."""
    if kind not in _NETWORK:
        return Check("file system", True, f"TUNER_HOME is on {kind or 'an unknown one'}")
    if not kept:
        return Check("file system", True, f"TUNER_HOME is on {kind}, and holds nothing that is locked")
    advice = "set TUNER_STORAGE_URL to PostgreSQL and MLFLOW_TRACKING_URI to a server, or TUNER_HOME to a local disk"
    return Check("file system", False, f"TUNER_HOME is on {kind}, where {' and '.join(kept)} can be damaged", advice)


def file_system_of(folder: Path, mounts: str | None = None) -> str:
    """Return the kind of a folder's file system; empty where it cannot be told."""
    try:
        text = Path("/proc/self/mounts").read_text() if mounts is None else mounts
    except OSError:
        return ""
    places = {line.split()[1]: line.split()[2] for line in text.splitlines()}
    resolved = folder.resolve()
    return next((places[str(place)] for place in (resolved, *resolved.parents) if str(place) in places), "")


def proxy(addresses: Sequence[str]) -> Check:
    """Look whether a proxy variable would take what is meant for this machine, or for a service of the cluster."""
    proxies = {scheme: at for scheme, at in getproxies().items() if scheme in {"http", "https", "all"}}
    if not proxies:
        return Check("proxy", True, "none set")
    hosts = ["localhost", "127.0.0.1", *(urlsplit(one).hostname or "" for one in addresses)]
    hidden = list(dict.fromkeys(host for host in hosts if host and not proxy_bypass(host)))
    named = ", ".join(sorted(f"{scheme}_proxy" for scheme in proxies))
    if not hidden:
        return Check("proxy", True, f"{named} set, and not used for {', '.join(dict.fromkeys(filter(None, hosts)))}")
    so_far = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    advice = f"export no_proxy={','.join(filter(None, [so_far, *hidden]))}"
    return Check("proxy", False, f"{named} would take what is meant for {', '.join(hidden)}", advice)


def torch() -> Check:
    """Return which torch there is."""
    import torch  # seconds to import

    return Check("torch", True, f"{torch.__version__}, {torch.get_num_threads()} threads")


def usable_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _locked_files() -> list[str]:
    """Return what several processes lock under TUNER_HOME as the environment has it."""
    journal = [] if os.environ.get("TUNER_STORAGE_URL") else ["Optuna's journal"]
    return [*journal, *([] if os.environ.get("MLFLOW_TRACKING_URI") else ["MLflow's SQLite database"])]
