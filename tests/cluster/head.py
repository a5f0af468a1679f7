"""A Ray cluster of one node on this machine that wants a token, started as an administrator would."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import start, tuner
from tests.readme import ROOT


def free_ports(number: int) -> list[int]:
    """Return ports below those that Ray gives to its workers."""
    found: list[int] = []
    for port in range(6400 + 31 * os.getpid() % 2000, 9000):  # far from those of a process that asks beside this one
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
        if len(found) == number:
            break
    return found


@dataclass
class Head:
    """A head that runs: its own TUNER_HOME, and the settings of who may use it."""

    home: Path
    settings: dict[str, str]

    def asked(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command against the cluster, from another TUNER_HOME, once it answers."""
        for _ in range(10):
            code, out, err = tuner(self.home.parent / "elsewhere", *arguments, **self.settings)
            if code != 3:
                break
        return code, out, err

    def supervisor(self, *arguments: str) -> subprocess.Popen[str]:
        """Start what a cluster runs to go on with studies that lost their driver."""
        return start(self.home, "supervise", *arguments, **self.settings)


@contextmanager
def head(folder: Path, cpus: int) -> Iterator[Head]:
    """Start a head with so many processors for trials, and end it."""
    token = folder / "token"
    token.write_text(secrets.token_hex(16))
    token.chmod(0o600)
    port, dashboard, agent = free_ports(3)
    own = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "TUNER_"))}
    shared = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        [
            "ray", "start", "--head", "--block", f"--port={port}", f"--num-cpus={cpus}",
            f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={agent}",
            f"--temp-dir=/tmp/tuner-test-{port}",
        ],
        cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=own | shared | {"PATH": path, "PYTHONPATH": str(ROOT), "TUNER_HOME": str(folder / "home")},
    )  # fmt: skip
    try:
        yield Head(folder / "home", shared | {"TUNER_ADDRESS": f"http://127.0.0.1:{dashboard}"})
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def wait_until(true: Callable[[], bool], seconds: float = 240) -> None:
    """Wait until `true()` holds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.2)
