"""A head that dies forgets its jobs: who may have killed it is tried alone and given up, all others go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from tests.cluster.jobs_api import Jobs, serving
from tuner import spec
from tuner.cli.supervise import MOST_FAILURES, QUICK_SECONDS, look
from tuner.home import study_directory
from tuner.search import holder, storage, supervision
from tuner.search.queue import Claim


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Jobs]:
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(supervision._JOB_VARIABLE, "{}")
    with serving() as jobs:
        yield jobs


def begun(name: str) -> optuna.Study:
    study = storage.create(name, True)
    storage.set_state(study, source=spec.load("digits", [f"name={name}"]).source)
    supervision.queued(study, None)
    return study


def killed(table: Jobs, *names: str, claim: Claim | None = None) -> None:
    """Let the head die with the drivers of some studies."""
    table.jobs.clear()
    for name in names:
        written = json.loads(holder.this_process().as_text()) | {"born": "gone"}
        written["claim"] = None if claim is None else vars(claim)
        (study_directory(name) / "driver.json").write_text(json.dumps(written))


def train(study: optuna.Study) -> None:
    trial = study.ask()
    trial.report(0.5, 1)


def sent(table: Jobs) -> list[str]:
    look(table.cluster())
    return sorted(job["metadata"]["tuner.study"] for job in table.jobs.values())


def test_a_study_that_takes_the_head_down_each_time_is_given_up_in_words(table: Jobs):
    begun("killer")
    for _ in range(1 + MOST_FAILURES):
        killed(table, "killer")
        told = sent(table)
    assert told == []
    assert "3 jobs in a row ended with the cluster's head before" in supervision.notes("killer")[0]


def test_a_study_that_progresses_between_restarts_is_never_given_up(table: Jobs):
    study = begun("steady")
    for _ in range(3 * MOST_FAILURES):
        killed(table, "steady")
        assert sent(table) == ["steady"]
        killed(table, "steady")
        assert sent(table) == ["steady"]
        train(study)


@pytest.mark.parametrize("ended", ["while it waited", "when it was told to"])
def test_a_driver_that_could_not_kill_the_head_is_not_counted(table: Jobs, ended: str):
    begun("patient")
    for _ in range(2 * MOST_FAILURES):
        killed(table, "patient", claim=Claim("here", 0, 0.0, 1.0, 0.0))
        if ended == "when it was told to":
            (study_directory("patient") / "driver.json").unlink()
        assert sent(table) == ["patient"]


def test_suspects_are_tried_one_at_a_time_so_that_the_innocent_are_not_given_up(table: Jobs):
    innocent = begun("innocent")
    begun("killer")
    for _ in range(2 * MOST_FAILURES):
        killed(table, "innocent", "killer")
        while "killer" not in sent(table) and not supervision.notes("killer"):
            train(innocent)
    assert "given up" in supervision.notes("killer")[0]
    assert supervision.notes("innocent") == []
    assert sent(table) == ["innocent"]


def test_a_suspect_that_trains_for_long_holds_up_nobody_for_ever(table: Jobs, monkeypatch: pytest.MonkeyPatch):
    begun("first")
    begun("second")
    for _ in range(2):
        killed(table, "first", "second")
        told = sent(table)
    assert told == ["first"]
    now = supervision.time.time()
    monkeypatch.setattr(supervision.time, "time", lambda: now + QUICK_SECONDS)
    assert sent(table) == ["first", "second"]
