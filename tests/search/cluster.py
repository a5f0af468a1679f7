"""A Ray cluster of several nodes on this machine, in a process of its own: nodes join, and are killed.

Run as a program it obeys: `add GPUS` (prints the new node's number) and `kill NUMBER`; it ends when nobody speaks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.readme import ROOT


class Cluster:
    """The program's end at which a test speaks. The head has no CPU for trials: drivers are at home there."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program
        self.address = self._answer()

    def add(self, gpus: int = 0) -> int:
        """Let a node with one CPU join, and GPUs that Ray only counts, and return its number."""
        return int(self._say(f"add {gpus}"))

    def kill(self, number: int) -> None:
        """Kill a node with all that runs on it."""
        self._say(f"kill {number}")

    def _say(self, words: str) -> str:
        self._program.stdin.write(f"{words}\n")
        self._program.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        while line := self._program.stdout.readline():
            if line.startswith("> "):
                return line[2:].strip()
        raise RuntimeError("the cluster's program ended")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start a cluster with a head, and end all of it."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    settings = {"RAY_AUTH_MODE": "disabled", "RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.search.cluster"],
        cwd=ROOT, env=own | settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield Cluster(program)
    finally:
        program.stdin.close()
        program.wait(timeout=60)
        program.stdout.close()


def _obey() -> None:
    from ray.cluster_utils import Cluster as Nodes

    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0})
    numbered = []
    _tell(nodes.address)
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "add":
            numbered.append(nodes.add_node(num_cpus=1, num_gpus=int(rest[0])))
            _tell(len(numbered) - 1)
        else:
            nodes.remove_node(numbered[int(rest[0])], allow_graceful=False)
            _tell("killed")
    nodes.shutdown()


def _tell(words: object) -> None:
    sys.stdout.write(f"> {words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _obey()
