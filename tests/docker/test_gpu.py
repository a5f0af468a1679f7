"""What docker/compose.yaml asks of Docker for workers with GPUs; no GPU and no cluster is needed to read it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from tests.docker.cluster import engine
from tests.readme import ROOT

EVERY_GPU = -1


def services(*profiles: str, **settings: str) -> dict[str, Any]:
    """Return the services as compose reads them."""
    if reason := engine():
        pytest.skip(f"{reason}; see docker/README.md")
    chosen = [f"--profile={one}" for one in profiles]
    command = ["docker", "compose", "-f", str(ROOT / "docker/compose.yaml"), *chosen, "config", "--format=json"]
    own = {key: value for key, value in os.environ.items() if not key.startswith("TUNER_")}
    done = subprocess.run(command, env=own | settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout)["services"])


@pytest.mark.parametrize(("settings", "count"), [({}, EVERY_GPU), ({"TUNER_GPUS": "2"}, 2)])
def test_a_gpu_worker_reserves_the_machines_gpus_and_nobody_else_does(settings: dict[str, str], count: int):
    found = services("gpu", **settings)
    (device,) = found["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": count, "capabilities": ["gpu"]}
    assert [name for name, one in found.items() if "devices" in json.dumps(one.get("deploy", {}))] == ["worker-gpu"]


def test_there_is_one_gpu_worker_and_only_when_asked_for():
    assert "worker-gpu" not in services()
    assert services("gpu")["worker-gpu"].get("deploy", {}).get("replicas", 1) == 1


def test_a_gpu_worker_is_a_worker_with_a_gpu():
    found = services("gpu")
    worker, other = dict(found["worker"]), dict(found["worker-gpu"])
    assert other.pop("profiles") == ["gpu"]
    del other["deploy"]
    worker.pop("deploy", None)
    assert other["environment"].pop("NVIDIA_DRIVER_CAPABILITIES") == "compute,utility"
    assert other == worker
