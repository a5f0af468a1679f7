"""A connection to Ray: the cluster named by RAY_ADDRESS, or one started here for as long as it is needed."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tuner.errors import ServiceError, UsageError

NODES_VARIABLE = "TUNER_WAIT_FOR_NODES"
"""How many seconds a study waits for a cluster's nodes to join, ten minutes by default."""

_GPU_SECONDS = 60.0
"""How long a study waits for a cluster's first GPU at most, where workers without one have joined before."""

_LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class Node:
    """What one node of the cluster has for trials; memory is Ray's own count of it, none where it is not known."""

    cpus: float
    gpus: float
    memory_bytes: float = 0.0


@contextmanager
def connected(*, for_trials: bool = True) -> Iterator[list[Node]]:
    """Join RAY_ADDRESS or start Ray in this process tree; yield the nodes, and leave Ray as it was.

    A Ray started here listens with a random token that only this process tree knows. What only looks at the nodes, and
    runs nothing, needs less memory.

    Raises:
        ServiceError: the cluster cannot be reached, or Ray cannot start.
    """
    _prepare_environment()
    # Seconds to import, and nothing but a study needs them; all of it before another thread imports MLflow.
    import ray

    if for_trials:
        import ray.tune

    # What ends a trial is told to the study in words; Ray's own lines would break the display.
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    address = os.environ.get("RAY_ADDRESS")
    ended_by = signal.getsignal(signal.SIGTERM)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address=address or "local",  # without it Ray would join any cluster that was started on this machine
                logging_level=logging.CRITICAL,
                log_to_driver=False,
                configure_logging=True,
                **({} if address else {"include_dashboard": False}),
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"join the Ray cluster at {address}" if address else "start Ray here"
        raise ServiceError(f"could not {where}: {error}; `tuner doctor` says what is missing") from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, ended_by)  # Ray has put its own there, by which nothing is stored of the end
    try:
        yield nodes()
    finally:
        ray.shutdown()


def require_gpus(gpus: float) -> None:
    """Check, where Ray is to be started here, that this machine has the GPUs that one trial asks for.

    Raises:
        UsageError: it has fewer; the message says how many.
    """
    if gpus == 0 or os.environ.get("RAY_ADDRESS"):
        return
    import torch

    found = torch.cuda.device_count()
    if found < gpus:
        raise UsageError(
            f"a trial asks for resources.gpus: {gpus:g}, and torch {torch.__version__} finds {found} on this machine; "
            "set resources.gpus: 0 to train on CPUs, or RAY_ADDRESS to a cluster that has them"
        )


def nodes() -> list[Node]:
    """Return the living nodes of the cluster that is connected."""
    import ray

    found = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(one.get("CPU", 0), one.get("GPU", 0), one.get("memory", 0)) for one in found]


def slots(nodes: list[Node], cpus: float, gpus: float, concurrent: int | str) -> int:
    """Return how many trials may run at a time.

    Raises:
        UsageError: no node can ever hold one trial; the message names the largest that fits.
    """
    found = room(nodes, cpus, gpus, concurrent)
    if found == 0:
        largest_cpus = max((node.cpus for node in nodes), default=0)
        largest_gpus = max((node.gpus for node in nodes), default=0)
        raise UsageError(
            f"no node has {cpus:g} CPUs and {gpus:g} GPUs for one trial; the largest that fits is resources.cpus: "
            f"{largest_cpus:g}, resources.gpus: {largest_gpus:g}"
        )
    return found


def await_room(cpus: float, gpus: float, note: Callable[[str], None], *, was_there: bool = False) -> None:
    """Wait on a cluster until a node has room for a trial: workers join some time after their head has started.

    Where nodes have joined that have processors, and none has room, that is final, unless room `was_there` before. What
    has GPUs may join seconds after the others: where a GPU is wanted, no node has any, and NODES_VARIABLE says that
    nodes are to come, it is final after a minute, long enough for them and short enough to be told that there are none.
    `note` is told what is waited for, and with no words when it has come.

    Raises:
        UsageError: no node can hold one trial; the message names the largest that fits.
        ServiceError: no node with processors for trials has joined in time.
    """
    seconds = _seconds_for_nodes()
    began, said = time.monotonic(), False
    while room(found := nodes(), cpus, gpus, "auto") == 0:
        waited = time.monotonic() - began
        has_joined = any(node.cpus for node in found)
        patience = seconds if was_there or not has_joined else min(seconds, _gpu_seconds(found, gpus))
        if not os.environ.get("RAY_ADDRESS") or (has_joined and waited >= patience):
            slots(found, cpus, gpus, "auto")  # says what there is
        if waited >= seconds:
            raise ServiceError(f"no node with processors for trials has joined within {seconds:g} seconds")
        if not said:
            note(f"waiting: no node is there with {cpus:g} CPUs and {gpus:g} GPUs; {patience:g} seconds at most")
            said = True
        time.sleep(_LOOK_SECONDS)
    if said:
        note("")


def address() -> str:
    """Return the address of the cluster that is connected, by which its studies know each other."""
    import ray

    return str(ray.get_runtime_context().gcs_address)


def room(nodes: list[Node], cpus: float, gpus: float, concurrent: int | str) -> int:
    """Return how many trials the nodes hold, none where no node has room for one."""
    fits = sum(_fits(node, cpus, gpus) for node in nodes)
    return fits if concurrent == "auto" else min(fits, int(concurrent))


def waiting(cpus: float, gpus: float) -> str:
    """Say that no node has room for a trial, which one must bring, and that the study goes on by itself."""
    return f"waiting: no node is left with {cpus:g} CPUs and {gpus:g} GPUs for a trial; it goes on when one joins"


def _gpu_seconds(found: list[Node], gpus: float) -> float:
    """Return how long a node with GPUs is waited for where others have joined."""
    may_come = gpus > 0 and not any(node.gpus for node in found) and NODES_VARIABLE in os.environ
    return _GPU_SECONDS if may_come else 0.0


def _fits(node: Node, cpus: float, gpus: float) -> int:
    by_cpu = int(node.cpus // cpus) if cpus else 10**6
    if not gpus:
        return by_cpu
    by_gpu = int(node.gpus // gpus) if gpus >= 1 else int(node.gpus) * int(1 / gpus + 1e-9)
    return min(by_cpu, by_gpu)


def _seconds_for_nodes() -> float:
    given = os.environ.get(NODES_VARIABLE) or "600"
    try:
        return float(given)
    except ValueError:
        raise UsageError(f"{NODES_VARIABLE} must be a number of seconds, read {given!r}") from None


def _prepare_environment() -> None:
    """Set what Ray reads when it starts, leaving what the user has set."""
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # its reporter prints tables on standard output, whatever `verbose` says
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "86400")
    os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
    # A trial that failed reports its cause and no metric; a metric that is missing ends its trial, not the study.
    os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Ray reads its authentication mode when it is imported: where that has happened, its mode is the caller's choice.
    if not os.environ.get("RAY_ADDRESS") and "RAY_AUTH_MODE" not in os.environ and "ray" not in sys.modules:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
