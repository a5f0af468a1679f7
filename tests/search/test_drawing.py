"""Configurations that are drawn again, and spaces that run out."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.search.conftest import STUDY, again, begin, drive, rising
from tuner.search import storage

TWO_POINTS = STUDY.replace("{ratio: {name: beta, alpha: {low: 0.05, high: 8.0, log: true}}}", "{}").replace(
    "{probability: {low: 0.25, high: 1.0, step: 0.25}}", "{}"
)
SIX_POINTS = TWO_POINTS.replace("mixup: {}", "mixup: {probability: {any: [0.1, 0.2, 0.3, 0.4, 0.5]}}")


def tried(search) -> Counter[str]:
    return Counter(str(r.params) for r in storage.records(search.study) if not r.baseline)


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_an_exhausted_space_ends_the_study(load, sampler):
    search = begin(load(f"search.sampler={sampler}", "search.trials=40", text=TWO_POINTS))
    drive(search, rising)
    assert sorted(tried(search).values()) == [3, 3]
    assert search.finished
    assert not search.wants_more()
    assert again(search.spec).ask() is None


def test_how_often_a_configuration_is_drawn_can_be_set(load):
    search = begin(load("search.repeats=1", "search.trials=40", text=SIX_POINTS))
    drive(search, rising)
    assert sorted(tried(search).values()) == [1] * 6
    assert {r.seed for r in storage.records(search.study)} == {0}


def test_a_space_that_is_not_exhausted_has_nothing_more_often_than_allowed(load):
    search = begin(load("search.repeats=2", "search.trials=12", text=SIX_POINTS))
    assert len(drive(search, rising)) == 12
    assert max(tried(search).values()) == 2


def test_a_study_killed_near_the_end_of_its_space_ends_with_the_same_trials(load, monkeypatch, tmp_path):
    loaded = load("search.trials=40", text=SIX_POINTS)
    undisturbed = begin(loaded)
    drive(undisturbed, rising)
    expected = [(r.params, r.seed) for r in storage.records(undisturbed.study)]
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "killed"))
    search = begin(loaded)
    for _ in range(15):
        search.ask()
        search = again(loaded)
        drive_one(search)
    drive(search, rising)
    assert [(r.params, r.seed) for r in storage.records(search.study)] == expected


def drive_one(search) -> None:
    assignment = search.ask()
    for epoch in range(assignment.epochs + 1, 10):
        if search.report(assignment.number, metrics_of(assignment, epoch)):
            return


def metrics_of(assignment, epoch):
    from tests.search.conftest import metrics

    return metrics(epoch, rising(assignment, epoch))
