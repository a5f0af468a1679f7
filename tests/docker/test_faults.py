"""A study on the cluster goes on when containers die: a worker, the head, MLflow, PostgreSQL."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.docker.client import Client
from tests.docker.cluster import Cluster, docker

TRIALS = 8


def begin(client: Client, name: str, epochs: int = 27) -> None:
    """Submit a study of eight full trainings, and return once its trials have reported some epochs."""
    settings = {
        "search__trials": TRIALS,
        "search__baselines": "[]",
        "trial__training__epochs": epochs,
        "scheduler__name": "fifo",
        "confirm__seeds": 0,
    }
    client.submit("digits", name, "--no-wait", **settings)
    wait_until(lambda: trained(client.cluster, name) >= 5)


def trained(cluster: Cluster, name: str) -> int:
    """Return how many epochs of a study are stored, by the database's own word: that is asked every second."""
    tables = "trial_intermediate_values JOIN trials USING (trial_id) JOIN studies USING (study_id)"
    query = f"SELECT count(*) FROM {tables} WHERE study_name = '{name}'"
    return int(cluster.run_in("postgres", "psql", "--username=postgres", "--dbname=tuner", "-tAc", query))


def trials(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    try:
        return list(cluster.tuner("trials", name))
    except (RuntimeError, ValueError, IndexError):  # not begun yet
        return []


def wait_until(true: Callable[[], bool], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(1)


def ended_whole(cluster: Cluster, name: str, epochs: int = 27) -> None:
    """Check that every trial ran to its end, and that MLflow has each epoch of each."""
    found = trials(cluster, name)
    assert [(one["state"], one["epochs"]) for one in found] == [("complete", epochs)] * TRIALS
    for one in found:
        history = cluster.mlflow(f"metrics/get-history?run_id={one['run_id']}&metric_key=val_accuracy")["metrics"]
        assert sorted(int(point["step"]) for point in history) == list(range(1, epochs + 1))


def crash_head(cluster: Cluster) -> None:
    """Kill the head from within, as running out of memory would, and wait until it is back with its worker."""
    (container,) = cluster.containers("head")

    def state() -> dict[str, Any]:
        return dict(json.loads(docker("inspect", container))[0]["State"])

    before = state()
    subprocess.run(["kill", f"-{signal.SIGKILL.value}", str(before["Pid"])], check=True)
    wait_until(lambda: state()["StartedAt"] != before["StartedAt"])
    cluster.wait_healthy()
    wait_until(lambda: cluster.processors() == [0, 1])


def busy(container: str) -> bool:
    """Tell whether a worker trains a trial at this moment, by what Ray calls its processes."""
    return "ray::TrialActor" in docker("top", container, "-eo", "pid,args")


def test_a_study_outlives_a_worker_that_ran_a_trial(cluster: Cluster, client: Client):
    cluster.up(workers=2)
    wait_until(lambda: cluster.processors() == [0, 1, 1])
    begin(client, "worker-dies", epochs=81)  # it has to be running still when the worker is dead
    workers = cluster.containers("worker")
    wait_until(lambda: all(map(busy, workers)))
    docker("kill", workers[-1])
    wait_until(lambda: cluster.processors() == [0, 1])
    assert not [one for one in trials(cluster, "worker-dies") if one["state"] == "failed"]
    assert cluster.tuner("status", "worker-dies")["state"] == "running"
    client.wait("worker-dies", 900)
    ended_whole(cluster, "worker-dies", epochs=81)


# It has to be running still when the service is back: without a database it waits, without MLflow it does not.
@pytest.mark.parametrize(("service", "epochs"), [("mlflow", 243), ("postgres", 81)])
def test_a_study_outlives_a_minute_without(cluster: Cluster, client: Client, service: str, epochs: int):
    cluster.up(workers=1)
    name = f"without-{service}"
    begin(client, name, epochs)
    docker("kill", *cluster.containers(service))
    time.sleep(60)
    cluster.up(workers=1)
    client.wait(name, 900)
    ended_whole(cluster, name, epochs)


def test_a_study_goes_on_by_itself_when_the_head_crashed_and_when_it_was_restarted(cluster: Cluster, client: Client):
    cluster.up(workers=1)
    name, epochs = "head-dies", 81  # it has to be running still when the head ends for the second time
    begin(client, name, epochs)
    crash_head(cluster)
    goes_on(cluster, name)
    # Its driver is told to end, as by Ctrl-C, and yet nobody wanted it stopped.
    cluster.compose("restart", "--timeout=10", "head")
    cluster.wait_healthy()
    goes_on(cluster, name)
    assert name in [one["study"] for one in cluster.tuner("ls")]  # Ray's table of jobs has lost it twice
    wait_until(lambda: cluster.tuner("status", name)["state"] == "completed", seconds=600)
    ended_whole(cluster, name, epochs)


def goes_on(cluster: Cluster, name: str) -> None:
    """Check that a study trains on without being asked to: within a minute its driver counts as gone."""
    before = trained(cluster, name)
    wait_until(lambda: trained(cluster, name) > before)
