"""A study is followed over a head that went away and came back, to the end of its last job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.jobs_api import Jobs, serving
from tuner.cli.cluster import Sending, send_resume
from tuner.cluster import Job, LostError, finished, follow, following
from tuner.errors import ServiceError


@pytest.fixture
def table() -> Iterator[Jobs]:
    with serving() as jobs:
        yield jobs


def sent(table: Jobs, says: str) -> Job:
    job = send_resume(table.cluster(), "one", (), Sending(), "")
    table.logs[job.id] = says
    return job


def meanwhile(act: Callable[[], object]) -> threading.Thread:
    def later() -> None:
        time.sleep(1.0)
        act()

    thread = threading.Thread(target=later)
    thread.start()
    return thread


def test_the_job_that_goes_on_is_followed_to_its_end_also_where_it_has_the_number_of_the_lost_one(table: Jobs):
    said: list[str] = []
    notes: list[str] = []
    job = sent(table, "a long first part\n")

    def restart() -> None:
        table.is_down = True
        table.jobs.clear()
        time.sleep(1.0)
        table.is_down = False
        time.sleep(3.0)
        again = sent(table, "the rest\n")
        assert again.id == job.id
        table.end(again.id, "FAILED", 4)

    thread = meanwhile(restart)
    last = follow(table.cluster(), job, said.append, notes.append)
    thread.join()
    assert "".join(said) == "a long first part\nthe rest\n"
    assert (last.state, last.exit_code) == ("failed", 4)
    assert [one for one in notes if "has forgotten job" in one or "goes on as job" in one] == [
        "the cluster's head has forgotten job tuner-study-one-1; waiting for one that goes on with study one",
        "study one goes on as job tuner-study-one-1",
    ]
    assert "no Ray cluster answers" in notes[0]


def test_a_study_that_nobody_goes_on_with_is_given_up_in_words(table: Jobs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 1.0)
    job = sent(table, "")
    table.jobs.clear()
    with pytest.raises(ServiceError, match="none went on with study one; `tuner status one`"):
        follow(table.cluster(), job, None, lambda _: None)


def test_a_cluster_that_stays_away_is_given_up(table: Jobs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 1.0)
    cluster, job = table.cluster(), sent(table, "")
    table.is_down = True
    with pytest.raises(ServiceError, match="no Ray cluster answers"):
        follow(cluster, job, None, lambda _: None)


def test_a_question_that_was_forgotten_gets_no_other_ones_answer(table: Jobs):
    job = sent(table, "")
    table.jobs.clear()
    sent(table, "another")
    with pytest.raises(LostError):
        finished(table.cluster(), job)


def test_who_waits_for_some_seconds_waits_no_longer(table: Jobs):
    job = sent(table, "")
    assert follow(table.cluster(), job, None, lambda _: None, seconds=0.2).state == "running"
