"""A study whose driver died is gone on with by the cluster's supervisor; one that was stopped or is broken is not."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.head import Head, head, wait_until
from tests.processes import start

pytestmark = [pytest.mark.ray, pytest.mark.heavy, pytest.mark.timeout(900)]

EPOCHS, TRIALS = 20, 3
SMALL = (
    "--set", f"search.trials={TRIALS}", "--set", "scheduler.name=fifo", "--set", "confirm.seeds=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """A head with one processor for trials."""
    with head(tmp_path_factory.mktemp("cluster"), cpus=1) as started:
        yield started


def journal(cluster: Head, name: str) -> list[dict[str, Any]]:
    path = cluster.home / "studies" / name / "journal.log"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def epochs(cluster: Head, name: str) -> int:
    return sum("intermediate_value" in record for record in journal(cluster, name))


def begin(cluster: Head, name: str, epochs_each: int = EPOCHS) -> None:
    """Submit a study, and wait until it has trained some epochs."""
    given = (*SMALL, "--set", f"name={name}", "--set", f"trial.training.epochs={epochs_each}")
    code, _, err = cluster.asked("submit", "digits", *given, "--no-wait", "--json")
    assert code == 0, err
    wait_until(lambda: epochs(cluster, name) >= 3)


def kill_driver(cluster: Head, name: str) -> None:
    os.kill(json.loads((cluster.home / "studies" / name / "driver.json").read_text())["pid"], signal.SIGKILL)


def status(cluster: Head, name: str) -> dict[str, Any]:
    code, out, err = cluster.asked("status", name, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_study_goes_on_by_itself_when_its_driver_was_killed(cluster: Head):
    begin(cluster, "killed")
    supervisor = cluster.supervisor()
    try:
        kill_driver(cluster, "killed")
        wait_until(lambda: epochs(cluster, "killed") == TRIALS * EPOCHS)
        code, out, err = cluster.asked("wait", "killed", "--json")
        assert (code, json.loads(out)["state"]) == (0, "succeeded"), err
    finally:
        supervisor.terminate()
        said = supervisor.communicate()[1]
    assert "study killed: its driver is gone; job tuner-study-killed-2 " in said
    found = json.loads(cluster.asked("trials", "killed", "--json")[1])
    assert [(one["state"], one["epochs"]) for one in found] == [("complete", EPOCHS)] * TRIALS
    assert status(cluster, "killed")["state"] == "completed"


def looked(cluster: Head) -> str:
    supervisor = cluster.supervisor("--once")
    said = supervisor.communicate(timeout=120)[1]
    assert supervisor.returncode == 0, said
    return said


def test_what_was_stopped_on_purpose_is_left_alone_and_the_log_says_who_stopped_it(cluster: Head):
    begin(cluster, "stopped", 2000)
    code, out, err = cluster.asked("stop", "stopped", "--json")
    assert (code, json.loads(out)["state"]) == (0, "stopped"), err
    assert status(cluster, "stopped")["state"] == "interrupted"
    assert "stopped" not in looked(cluster)
    line = json.loads((cluster.home / "audit.log").read_text().splitlines()[-1])
    assert (line["act"], line["study"]) == ("stop", "stopped")
    assert "@" in line["by"]


def test_a_study_that_cannot_go_on_is_given_up_in_words(cluster: Head):
    begin(cluster, "broken", 2000)
    kill_driver(cluster, "broken")
    file = cluster.home / "studies" / "broken" / "study.yaml"
    file.write_text(file.read_text().replace("seed: 0", "seed: 1"))  # another study than was begun: it is refused
    assert "seed: 1" in file.read_text()
    said = ""
    for _ in range(4):
        said += looked(cluster)
        cluster.asked("wait", "broken", "--seconds", "120")
    assert said.count("goes on with it") == 3
    assert "study broken: given up: 3 jobs in a row failed" in said
    assert looked(cluster) == ""
    assert any("the supervisor has given up" in note for note in status(cluster, "broken")["notes"])


def test_a_supervisor_waits_for_what_is_out_of_reach(tmp_path: Path):
    supervisor = start(tmp_path, "supervise", "--once", TUNER_ADDRESS="http://127.0.0.1:9")
    said = supervisor.communicate(timeout=120)[1]
    assert supervisor.returncode == 0
    assert "waiting: no Ray cluster answers" in said
