"""Configurations that are drawn again, and spaces that run out."""

from __future__ import annotations

from collections import Counter

import optuna
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


def reopened_after(search, moment: str, number: int):
    """Kill a driver while it draws a trial: before its configuration, or while an earlier such one is queued again."""
    trial = search.study.ask()
    assert trial.number == number
    if moment == "seed written":
        trial.set_user_attr("seed", 5)
    elif moment == "queued again":
        requeue_until(search.study, number, "queued")
    elif moment == "marked":
        requeue_until(search.study, number, "marked")
    return again(search.spec)


def requeue_until(study, number: int, moment: str) -> None:
    frozen = study.trials[number]
    given = {key: value for key, value in frozen.user_attrs.items() if key in {"baseline", "mixing"}}
    if given or "fixed_params" in frozen.system_attrs:
        study.enqueue_trial(frozen.system_attrs.get("fixed_params", {}), user_attrs={**given, "again": number})
    if moment == "marked":
        optuna.Trial(study, frozen._trial_id).set_user_attr("forgotten", True)


@pytest.mark.parametrize("moment", ["asked for", "seed written", "queued again", "marked"])
@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_driver_killed_in_the_middle_of_a_draw_loses_and_doubles_nothing(load, monkeypatch, tmp_path, moment, after):
    loaded = load("seed=7")
    undisturbed = begin(loaded)
    drive(undisturbed, rising)
    expected = [(r.params, r.seed, r.baseline) for r in storage.records(undisturbed.study)]
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "killed"))
    search = begin(loaded)
    for _ in range(after):
        drive_one(search)
    search = reopened_after(search, moment, after)
    drive(search, rising)
    assert [(r.params, r.seed, r.baseline) for r in storage.records(search.study)] == expected


def drive_one(search) -> None:
    assignment = search.ask()
    for epoch in range(assignment.epochs + 1, 10):
        if search.report(assignment.number, metrics_of(assignment, epoch)):
            return


def metrics_of(assignment, epoch):
    from tests.search.conftest import metrics

    return metrics(epoch, rising(assignment, epoch))
