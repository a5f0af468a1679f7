"""Several studies on one cluster: they wait for nodes and for their turn, and share the places while they run."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.processes import start, tuner
from tests.search.cluster import cluster
from tests.search.killing import end, wait_for
from tests.search.test_nodes import listened
from tuner.search import session

pytestmark = [pytest.mark.ray, pytest.mark.heavy, pytest.mark.timeout(600)]

STUDY = (
    "--json", "--set", "search.sampler=random", "--set", "scheduler.name=fifo", "--set", "confirm.seeds=0",
    "--set", "search.baselines=none", "--set", "trial.training.epochs=10",
)  # fmt: skip


def given(name: str, trials: int) -> list[str]:
    return ["run", "digits", *STUDY, "--set", f"name={name}", "--set", f"search.trials={trials}"]


def running(home: Path, name: str) -> int:
    """Return how many trials of a study run just now."""
    path = home / "studies" / name / "journal.log"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    records = [json.loads(line) for line in lines if line.endswith("\n")]
    begun = sum("config" in record.get("user_attr", {}) for record in records)
    return begun - sum("datetime_complete" in record for record in records)


def test_studies_wait_for_nodes_and_for_their_turn_and_share_the_places(tmp_path):
    drivers = []

    def begin(*arguments: str):
        drivers.append(start(tmp_path, *arguments, RAY_ADDRESS=nodes.address, RAY_AUTH_MODE="disabled"))
        return drivers[-1], listened(drivers[-1])

    with cluster() as nodes:
        try:
            first, said = begin(*given("first", 1000))
            wait_for(lambda: any(line.startswith("waiting: no node is there") for line in said), first)
            nodes.add()
            wait_for(lambda: running(tmp_path, "first") == 1, first)
            second, second_said = begin(*given("second", 2))
            wait_for(lambda: "waiting: 1st in the queue\n" in second_said, second)
            listed = {one["study"]: one for one in json.loads(tuner(tmp_path, "ls", "--json")[1])}
            assert (listed["second"]["state"], listed["second"]["queue"]["place"]) == ("waiting", 1)
            assert (listed["first"]["state"], listed["first"]["queue"]) == ("running", None)
            second.send_signal(signal.SIGINT)
            assert second.wait(60) == 130
            again, again_said = begin("resume", "second", "--json", "--priority", "3")
            wait_for(lambda: "waiting: 1st in the queue\n" in again_said, again)
            nodes.add()
            wait_for(lambda: running(tmp_path, "second") == 1, again)
            assert running(tmp_path, "first") == 1  # not two, of which it could have as many
            assert again.wait(240) == 0, again_said
            wait_for(lambda: running(tmp_path, "first") == 2, first)
            third, third_said = begin(*given("third", 2))
            wait_for(lambda: running(tmp_path, "third") == 1, third)  # as soon as a trial of the first has ended
            assert third.wait(240) == 0, third_said
            assert first.poll() is None
        finally:
            for driver in drivers:
                end(driver)


def test_what_no_node_holds_is_refused_at_once_and_a_cluster_without_nodes_when_none_has_come(tmp_path):
    with cluster() as nodes:
        settings = {"RAY_ADDRESS": nodes.address, "RAY_AUTH_MODE": "disabled"}
        arguments = (*given("none", 2), "--set", "resources.cpus=2")
        code, _, err = tuner(tmp_path, *arguments, **settings, **{session.NODES_VARIABLE: "5"})
        assert (code, "no node with processors for trials has joined within 5 seconds" in err) == (3, True), err
        nodes.add()
        code, _, err = tuner(tmp_path, *arguments, **settings)
        assert (code, "the largest that fits is resources.cpus: 1" in err) == (2, True), err


def test_a_study_that_wants_a_gpu_waits_a_little_for_the_first_where_nodes_without_one_have_joined(tmp_path):
    with cluster() as nodes:
        settings = {"RAY_ADDRESS": nodes.address, "RAY_AUTH_MODE": "disabled"}
        nodes.add()
        arguments = (*given("gpu", 1), "--set", "trial.training.epochs=1", "--set", "resources.gpus=1")
        code, _, err = tuner(tmp_path, *arguments, **settings)
        assert (code, "waiting" in err, "the largest that fits is" in err) == (2, False, True), err
        driver = start(tmp_path, *arguments, **settings, **{session.NODES_VARIABLE: "600"})
        said = listened(driver)
        try:
            words = "waiting: no node is there with 1 CPUs and 1 GPUs; 60 seconds at most\n"
            wait_for(lambda: words in said, driver)
            nodes.add(gpus=1)
            assert driver.wait(240) == 0, said
        finally:
            end(driver)
