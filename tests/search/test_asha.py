"""Who goes on at a rung."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.search.asha import Asha


def asha(**options: object) -> Asha:
    return Asha(**{"epochs": 27, "grace_epochs": 1, "reduction": 3} | options)


@pytest.mark.parametrize(
    ("epochs", "grace", "reduction", "rungs"),
    [
        (27, 3, 3, (3, 9)),
        (28, 3, 3, (3, 9, 27)),
        (243, 1, 3, (1, 3, 9, 27, 81)),
        (10, 10, 2, ()),
        (16, 1, 2, (1, 2, 4, 8)),
    ],
)
def test_rungs_are_powers_of_the_reduction_below_the_budget(epochs, grace, reduction, rungs):
    assert Asha(epochs, grace, reduction).rungs == rungs


def test_the_first_at_a_rung_goes_on_and_a_worse_second_stops():
    rungs = asha()
    assert not rungs.record("all", 0, 1, 0.5).stop
    decision = rungs.record("all", 1, 1, 0.4)
    assert decision.stop
    assert decision.threshold == 0.5


def test_one_third_goes_on_among_six():
    rungs = asha()
    for number, value in enumerate([0.1, 0.2, 0.3, 0.4, 0.5]):
        rungs.record("all", number, 3, value)
    assert not rungs.record("all", 5, 3, 0.4).stop
    assert rungs.record("all", 6, 3, 0.39).stop


def test_strata_are_compared_apart():
    rungs = asha()
    rungs.record("unmixed", 0, 1, 0.9)
    assert not rungs.record("strong", 1, 1, 0.1).stop


def test_between_rungs_nothing_is_decided():
    rungs = asha()
    rungs.record("all", 0, 1, 0.9)
    assert not rungs.record("all", 1, 2, 0.0).stop


def test_when_less_is_better_the_larger_value_stops():
    rungs = asha(maximise=False)
    rungs.record("all", 0, 1, 0.2)
    assert rungs.record("all", 1, 1, 0.3).stop
    assert not rungs.record("all", 2, 1, 0.1).stop


@given(st.lists(st.just(0.5), min_size=1, max_size=40))
def test_equal_scores_stop_nobody(values):
    rungs = asha()
    assert not any(rungs.record("all", number, 1, value).stop for number, value in enumerate(values))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_the_best_so_far_always_goes_on_and_a_replay_decides_the_same(values):
    first, second = asha(), asha()
    decisions = [first.record("all", number, 1, value).stop for number, value in enumerate(values)]
    best = float("-inf")
    for value, stopped in zip(values, decisions, strict=True):
        best = max(best, value)
        assert not (value == best and stopped)
    assert decisions == [second.record("all", number, 1, value).stop for number, value in enumerate(values)]


def test_recording_the_same_report_again_changes_nothing():
    rungs = asha()
    rungs.record("all", 0, 1, 0.5)
    before = rungs.record("all", 1, 1, 0.4)
    assert rungs.record("all", 1, 1, 0.9) == before or rungs.record("all", 1, 1, 0.4) == before
    assert rungs.record("all", 2, 1, 0.45).threshold == 0.5


@pytest.mark.parametrize(
    ("options", "words"), [({"reduction": 1}, "reduction"), ({"grace_epochs": 28}, "grace_epochs")]
)
def test_impossible_settings_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        asha(**options)
