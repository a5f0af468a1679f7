"""What a search is expected to train."""

from __future__ import annotations

import pytest

from tests.search.simulator import simulate
from tuner.search import forecast


def epochs(load, *overrides: str) -> forecast.Epochs:
    study = load(*overrides)
    return forecast.epochs(study, forecast.drawn(study), study.search.trials)


def test_without_stopping_every_trial_trains_to_its_end(load):
    found = epochs(load, "scheduler.name=fifo")
    assert found == forecast.Epochs(12, 108, 108, 108, 108)


def test_stopping_leaves_less_and_never_less_than_the_grace_period(load):
    found = epochs(load, "search.trials=60")
    assert 60 + 8 <= found.low <= found.expected <= found.high < found.most == 540


@pytest.mark.parametrize("overrides", [(), ("scheduler.promote=true",), ("scheduler.strata=none",)], ids=str)
def test_it_is_near_what_the_search_itself_trains_when_values_mean_nothing(load, overrides):
    """The real search, its trials' curves being noise, in simulated time."""
    study = load("search.trials=40", "search.sampler=random", *overrides)
    found = forecast.epochs(study, forecast.drawn(study), 40)

    def noise(assignment):
        return [hash((assignment.number, epoch // 3)) % 1000 / 1000 for epoch in range(9)]

    assert found.expected / 1.4 < simulate(study, noise, workers=1).epochs < found.expected * 1.4


def test_waiting_trials_cost_what_they_are_let_go_on_for(load):
    assert epochs(load, "scheduler.promote=true").expected != epochs(load).expected
