"""Tell whether Ray starts here, or the cluster answers, and runs tasks; in a process of its own that can be ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from tuner.errors import ServiceError
from tuner.home import home
from tuner.search import node_facts
from tuner.search.node_facts import NodeFacts

TIME_LIMIT_SECONDS = 150.0


@dataclass(frozen=True)
class RayFound:
    """Ray's version and what it has for trials, in words; of a cluster also what its nodes are."""

    words: str
    nodes: tuple[NodeFacts, ...] = ()


def probe_ray(folders: Sequence[str] = (), time_limit_seconds: float = TIME_LIMIT_SECONDS) -> RayFound:
    """Return what Ray has, after it ran a task, on a cluster one on every node, which also looks for `folders`.

    Raises:
        ServiceError: what Ray said, or that it said nothing in time, and what to do.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tuner.search.doctor", *folders],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        answer, words = process.communicate(timeout=time_limit_seconds)
    except subprocess.TimeoutExpired:
        raise ServiceError(f"Ray did not answer within {time_limit_seconds:g} seconds; {_advice()}") from None
    finally:
        _end(process)
    found = json.loads(answer.splitlines()[-1]) if process.returncode == 0 else {"error": _last_line(words)}
    if "error" in found:
        raise ServiceError(f"{found['error']}; {_advice()}")
    return RayFound(str(found["found"]), tuple(map(node_facts.from_json, found["nodes"])))


def main() -> None:
    """Start or join Ray, run tasks, and print what was found as one line of JSON; the arguments are folders."""
    from tuner.search.session import connected  # imports Ray

    try:
        with connected() as nodes:
            import ray  # after the session has set what Ray reads when it is imported

            ray.get(ray.remote(_task).remote())
            cpus, gpus = (sum(getattr(node, kind) for node in nodes) for kind in ("cpus", "gpus"))
            words = f"Ray {version('ray')}, {_where()}: {cpus:g} CPUs, {gpus:g} GPUs; a task ran"
            facts = node_facts.of_all_nodes(home(), sys.argv[1:]) if os.environ.get("RAY_ADDRESS") else []
            found: dict[str, object] = {"found": words, "nodes": [one.as_json() for one in facts]}
    except ServiceError as error:
        found = {"error": str(error)}
    sys.stdout.write(json.dumps(found) + "\n")


def _task() -> int:
    return os.getpid()


def _where() -> str:
    address = os.environ.get("RAY_ADDRESS")
    return f"cluster at {address}" if address else "started here"


def _advice() -> str:
    if os.environ.get("RAY_ADDRESS"):
        return "see that the cluster runs and that RAY_ADDRESS, RAY_AUTH_MODE and the token are right"
    return "see the logs in /tmp/ray/session_latest/logs, and that memory, /tmp and /dev/shm have room"


def _last_line(words: str) -> str:
    return (words.strip().splitlines() or ["Ray ended without a word"])[-1]


def _end(process: subprocess.Popen[str]) -> None:
    """Let Ray clear up after itself, then kill what is left."""
    if process.poll() is None:
        process.terminate()
        try:
            process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


if __name__ == "__main__":
    main()
