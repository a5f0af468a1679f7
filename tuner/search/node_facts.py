"""What one node of a cluster is and has, found by a task that runs there: for `tuner doctor`."""

from __future__ import annotations

import platform
import resource
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_FIRST_SECONDS, _SECOND_SECONDS = 60.0, 30.0


@dataclass(frozen=True)
class Versions:
    """What client, driver and nodes have to agree on."""

    python: str
    ray: str
    tuner: str


@dataclass(frozen=True)
class NodeFacts:
    """What was found on a node; `error` says why nothing was.

    `written` is why TUNER_HOME could not be written there, or nothing, and `sees` how many nodes' files are there.
    `ahead_seconds` is by how much its clock is ahead of ours, known to `give_or_take_seconds`.
    """

    host: str
    error: str = ""
    versions: Versions | None = None
    home_free_bytes: int = 0
    scratch_free_bytes: int = 0
    shared_memory_bytes: int | None = None
    most_files: int = 0
    gpus: int = 0
    usable_gpus: int = 0
    gpu_words: str = ""
    folders: tuple[str, ...] = ()
    written: str = ""
    sees: int = 0
    ahead_seconds: float = 0.0
    give_or_take_seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def from_json(values: dict[str, Any]) -> NodeFacts:
    """Return facts that have travelled."""
    kept = values["versions"]
    versions = None if kept is None else Versions(**kept)
    return NodeFacts(**{**values, "versions": versions, "folders": tuple(values["folders"])})


def versions() -> Versions:
    """Return the versions that this process runs."""
    return Versions(platform.python_version(), _version("ray"), _version("mixup-tuner"))


def of_all_nodes(home: Path, folders: Sequence[str]) -> list[NodeFacts]:
    """Return what every living node of the connected cluster is and has, the driver's home and folders among it.

    Every node writes a small file under the home, and looks for those of the others; they are removed again.
    """
    import ray

    meeting = home / f".doctor-{secrets.token_hex(6)}"
    nodes = [(str(node["NodeID"]), str(node["NodeManagerHostname"])) for node in ray.nodes() if node["Alive"]]
    gpus = [int(node["Resources"].get("GPU", 0)) for node in ray.nodes() if node["Alive"]]
    try:
        asked = [
            _task(identifier, here, str(meeting), identifier, list(folders), count)
            for (identifier, _), count in zip(nodes, gpus, strict=True)
        ]
        found = [_answer(ref, host, _FIRST_SECONDS) for ref, (_, host) in zip(asked, nodes, strict=True)]
        return [_timed(one, identifier, meeting) for one, (identifier, _) in zip(found, nodes, strict=True)]
    finally:
        shutil.rmtree(meeting, ignore_errors=True)


def here(meeting: str, name: str, folders: Sequence[str], gpus: int = 0) -> NodeFacts:
    """Return what this node is and has, having written a file of this name to the folder where all meet."""
    place = Path(meeting)
    written = ""
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)
    except OSError as error:
        written = f"{place.parent}: {error.strerror or error}"
    usable, words = _gpus() if gpus else (0, "")
    shared = Path("/dev/shm")
    return NodeFacts(
        socket.gethostname(),
        versions=versions(),
        home_free_bytes=_free(place.parent),
        scratch_free_bytes=_free(Path("/tmp")),
        shared_memory_bytes=shutil.disk_usage(shared).total if shared.is_dir() else None,
        most_files=_most_files(),
        gpus=gpus,
        usable_gpus=usable,
        gpu_words=words,
        folders=tuple(one for one in folders if Path(one).exists()),
        written=written,
    )


def clock_and_files(meeting: str) -> tuple[float, int]:
    """Return this node's time, and how many files it sees where all meet."""
    place = Path(meeting)
    return time.time(), len(list(place.iterdir())) if place.is_dir() else 0


def _timed(found: NodeFacts, identifier: str, meeting: Path) -> NodeFacts:
    """Ask a node once more, whose process is there now, so that the answer says what its clock shows."""
    if found.error:
        return found
    before = time.time()
    answer = _answer(_task(identifier, clock_and_files, str(meeting)), found.host, _SECOND_SECONDS)
    after = time.time()
    if isinstance(answer, NodeFacts):
        return answer
    moment, sees = answer
    return replace(
        found, sees=sees, ahead_seconds=moment - (before + after) / 2, give_or_take_seconds=(after - before) / 2
    )


def _task(identifier: str, function: Any, *arguments: Any) -> Any:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    where = NodeAffinitySchedulingStrategy(identifier, soft=False)
    return ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=where)(function).remote(*arguments)


def _answer(ref: Any, host: str, seconds: float) -> Any:
    import ray

    try:
        return ray.get(ref, timeout=seconds)
    except ray.exceptions.GetTimeoutError:
        return NodeFacts(host, error=f"no answer within {seconds:g} seconds")
    except ray.exceptions.RayError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        return NodeFacts(host, error=(lines or [type(error).__name__])[-1].strip())


def _gpus() -> tuple[int, str]:
    """Return how many GPUs torch can use here, and what it and the driver are."""
    try:
        import torch
    except ImportError as error:
        return 0, str(error)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return count, f"torch {torch.__version__}, built for {torch.version.cuda or 'no CUDA'}"


def _free(folder: Path) -> int:
    nearest = next(place for place in (folder, *folder.parents) if place.is_dir())
    return shutil.disk_usage(nearest).free


def _most_files() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a folder of sources
        return ""
