"""A study goes on as it began: what may change, what is refused and how it is said."""

from __future__ import annotations

import pytest

from tests.search.conftest import STUDY, begin
from tuner.errors import UsageError
from tuner.search import storage, stored, study
from tuner.search.changes import differences


def test_a_file_is_not_different_from_itself_whatever_its_order(load):
    reordered = STUDY.replace("search: {trials: 12}\n", "") + "search: {trials: 12}\n"
    assert differences(load().source, load(text=reordered).source) == []


def test_every_difference_is_named_with_what_was_and_what_is(load):
    changed = load(
        "seed=3", "trial.training.epochs=12", "trial.mixing.choice.cutmix.probability={any: [0.5, 1.0]}"
    )  # fmt: skip
    assert sorted(differences(load().source, changed.source)) == [
        "seed: was not there, is 3",
        "trial.mixing.choice.cutmix.probability.any[0]: was not there, is 0.5",
        "trial.mixing.choice.cutmix.probability.any[1]: was not there, is 1.0",
        "trial.mixing.choice.cutmix.probability.high: was 1.0, is not there",
        "trial.mixing.choice.cutmix.probability.low: was 0.25, is not there",
        "trial.mixing.choice.cutmix.probability.step: was 0.25, is not there",
        "trial.training.epochs: was 9, is 12",
    ]


def test_whole_and_real_numbers_of_one_value_are_equal(load):
    assert differences(load("limits.hours=1").source, load("limits.hours=1.0").source) == []


@pytest.mark.parametrize("change", ["limits.hours=2", "resources.concurrent=1", "search.trials=99", "name=other"])
def test_how_long_and_with_what_a_study_runs_may_change(load, change):
    assert differences(load().source, load(change).source) == []


def test_going_on_with_a_changed_file_is_refused_with_the_differences(load):
    search = begin(load())
    storage.set_state(search.study, source=load().source)
    with pytest.raises(UsageError, match=r"(?s)trial\.training\.epochs: was 9, is 12.*--fork"):
        study.resume(load("trial.training.epochs=12"))


def test_running_a_changed_file_under_the_name_is_refused_with_the_differences(load):
    search = begin(load())
    storage.set_state(search.study, source=load().source)
    with pytest.raises(UsageError, match=r"(?s)trial\.training\.epochs: was 9, is 12.*--fork"):
        study.run(load("trial.training.epochs=12"))
    with pytest.raises(UsageError, match=r"tuner resume simulated"):
        study.run(load())
    assert stored.source("simulated") == load().source
