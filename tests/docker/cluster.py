"""The cluster of docker/compose.yaml, built and started for tests under a name and ports of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

from tests.readme import ROOT

HEALTHY_SECONDS = 180
SERVERS = ("postgres", "mlflow", "head", "supervisor", "worker")


def engine() -> str | None:
    """Return why the engine cannot be used, or nothing where it can."""
    if shutil.which("docker") is None:
        return "no docker here"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return f"`{' '.join(command)}` fails"
    return None


def docker(*arguments: str, check: bool = True, seconds: float = 120) -> str:
    """Run docker, and return what it wrote on both outputs."""
    return _run(["docker", *arguments], dict(os.environ), check=check, seconds=seconds)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Cluster:
    """A running cluster: one head, `workers` workers of one processor each, MLflow and PostgreSQL."""

    project: str = field(default_factory=lambda: f"tuner-test-{os.getpid()}")
    ray_port: int = field(default_factory=free_port)
    mlflow_port: int = field(default_factory=free_port)
    seconds_to_healthy: float = 0.0

    def compose(self, *arguments: str, check: bool = True, seconds: float = 300) -> str:
        """Run `docker compose` on this cluster; return both its outputs."""
        settings = {
            "TUNER_RAY_PORT": str(self.ray_port),
            "TUNER_MLFLOW_PORT": str(self.mlflow_port),
            "TUNER_IMAGE": "mixup-tuner:test",
            "TUNER_WORKER_CPUS": "1",
            "TUNER_WORKER_MEMORY": "4g",
        }
        command = ["docker", "compose", "-p", self.project, "-f", str(ROOT / "docker/compose.yaml"), *arguments]
        return _run(command, os.environ | settings, check=check, seconds=seconds)

    def build(self) -> None:
        self.compose("--progress=plain", "build", seconds=3000)

    def up(self, workers: int = 1) -> float:
        """Start what does not run, and wait until all of it is healthy; return how many seconds that took."""
        start = time.monotonic()
        # Not --wait: it fails as soon as one that has to end, such as `migrate`, has ended.
        self.compose("up", "-d", "--scale", f"worker={workers}", seconds=2 * HEALTHY_SECONDS)
        self.wait_healthy(workers, 2 * HEALTHY_SECONDS)
        return time.monotonic() - start

    def wait_healthy(self, workers: int = 1, seconds: float = HEALTHY_SECONDS) -> None:
        end = time.monotonic() + seconds
        wanted = {name: ["healthy"] * (workers if name == "worker" else 1) for name in SERVERS}
        while (states := self.states()) != wanted:
            if time.monotonic() > end:
                raise TimeoutError(f"not healthy after {seconds} s: {states}\n{self.compose('logs', '--tail=40')}")
            time.sleep(1)

    def states(self) -> dict[str, list[str]]:
        """Return how healthy the running containers of each service are."""
        lines = self.compose("ps", "--format", "{{.Service}} {{.Health}}").splitlines()
        return {name: sorted(line.split()[-1] for line in lines if line.split()[0] == name) for name in SERVERS}

    def down(self, *, volumes: bool) -> None:
        self.compose("down", "--timeout=20", *(["--volumes"] if volumes else []))

    def containers(self, service: str = "") -> list[str]:
        """Return the ids of a service's running containers, or of all."""
        return self.compose("ps", "-q", *([service] if service else [])).split()

    def run_in(self, service: str, *command: str, index: int = 1, check: bool = True, seconds: float = 120) -> str:
        """Run a command in a service's container, as its own user and without its secrets; return both outputs."""
        return self.compose("exec", "-T", f"--index={index}", service, *command, check=check, seconds=seconds)

    def python_in(self, service: str, code: str, *, check: bool = True) -> str:
        return self.run_in(service, "python", "-c", code, check=check)

    def processors(self) -> list[float]:
        """Return how many processors each node of the cluster has for trials, as Ray knows it."""
        code = (
            "import json, ray; ray.init('auto', log_to_driver=False, logging_level='ERROR');"
            "print('nodes', json.dumps([one['Resources'].get('CPU', 0) for one in ray.nodes() if one['Alive']]))"
        )
        (line,) = (line for line in self.python_in("head", code).splitlines() if line.startswith("nodes "))
        return sorted(json.loads(line.removeprefix("nodes ")))

    def secret(self, service: str, path: str) -> str:
        return self.run_in(service, "cat", path).strip()

    def tuner(self, *arguments: str, check: bool = True) -> Any:
        """Run `tuner` in the head's container, as a driver there does; return its JSON document."""
        out = self.run_in("head", "with-secrets", "tuner", *arguments, "--json", check=check)
        return json.loads(out[out.index(out.lstrip()[0]) :])

    def token(self) -> str:
        return self.secret("head", "/run/secrets/ray/token")

    def mlflow_password(self) -> str:
        return self.secret("head", "/run/secrets/driver/mlflow_password")

    def mlflow(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call MLflow on the host's port as drivers do."""
        data = None if body is None else json.dumps(body).encode()
        address = f"{self.mlflow_url}/api/2.0/mlflow/{path}"
        answer = self.call(address, data, Authorization=basic("tuner", self.mlflow_password()))
        if answer[0] != 200:
            raise RuntimeError(f"MLflow answered {answer}")
        return json.loads(answer[1])

    @property
    def ray_url(self) -> str:
        return f"http://127.0.0.1:{self.ray_port}"

    @property
    def mlflow_url(self) -> str:
        return f"http://127.0.0.1:{self.mlflow_port}"

    @staticmethod
    def call(url: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        """Return status and text of an HTTP request from the host."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, body, named | {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()


def basic(user: str, password: str) -> str:
    """Return the header of HTTP's basic authentication."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _run(command: list[str], environment: dict[str, str], *, check: bool, seconds: float) -> str:
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, **both, env=environment, text=True, timeout=seconds, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout
