"""Simulated studies whose truth is known: how often the verdict, the interval and the estimate are right.

The 500 studies of each kind that the targets ask for, and more settings, are in tests/benchmarks/recommend.py.
"""

from __future__ import annotations

import statistics

import pytest

from tests.selection.simulated import METHODS, Truth, gain_of, is_right, simulate, uses

NULL, PLANTED = Truth(), Truth({"cutmix": 5.0})
MANY = pytest.param(500, marks=pytest.mark.heavy)


def studies(truth, number, **more):
    return [simulate(truth, seed, **more) for seed in range(number)]


@pytest.mark.parametrize("number", [60, MANY])
def test_where_nothing_helps_nothing_is_recommended_nor_flattered(number):
    done = studies(NULL, number)
    assert sum(map(uses, done)) <= 0.05 * number
    assert statistics.fmean(is_right(one, NULL) for one in done) >= 0.93
    estimates = [one.found.effect.estimate for one in done]
    plain = [one.found.effect.uncorrected for one in done]
    error = statistics.stdev(estimates) / number**0.5
    assert abs(statistics.fmean(estimates)) < 2.5 * error
    assert statistics.fmean(plain) > statistics.fmean(estimates)
    assert all(one.found.policy == {"name": "none"} for one in done if not uses(one))


@pytest.mark.parametrize("number", [40, MANY])
def test_gain_of_five_deviations_is_found_and_measured(number):
    done = studies(PLANTED, number)
    assert sum(map(uses, done)) >= 0.95 * number
    assert sum(is_right(one, PLANTED) for one in done) >= 0.9 * number
    assert all(one.found.policy["name"] == "cutmix" for one in done if uses(one))
    errors = [one.found.effect.estimate - gain_of(one, PLANTED) for one in done]
    assert abs(statistics.fmean(errors)) < 2.5 * statistics.stdev(errors) / number**0.5


def test_where_smaller_is_better_the_same_studies_end_alike():
    turned = studies(Truth(PLANTED.gains, maximise=False), 10)
    assert sum(map(uses, turned)) == 10
    assert all(one.found.policy["name"] == "cutmix" for one in turned)


def test_where_all_methods_are_equally_good_the_simplest_is_most_often_taken():
    done = studies(Truth(dict.fromkeys(METHODS, 5.0)), 20)
    assert sum(one.found.policy["name"] == "mixup" for one in done) > 20 / 2


def test_harmful_mixing_is_dropped_and_not_recommended():
    done = studies(Truth(dict.fromkeys(METHODS, -8.0), pairing=0.8), 10)
    assert not any(map(uses, done))
    assert all(len(one.race.dropped) == len(one.candidates) - 1 for one in done)
    assert all(sum(map(len, one.scores.values())) < 5 * len(one.candidates) for one in done)


def in_common(one):
    """Return on how many seeds both the policy that is shown and no mixing have a score."""
    baseline, shown = one.scores[one.candidates[0].key], one.scores[one.found.shown.key]
    return sum(baseline[seed] is not None and score is not None for seed, score in shown.items())


def test_failing_trainings_leave_a_verdict_of_what_is_complete():
    done = studies(Truth(PLANTED.gains, pairing=0.8, failing=0.1), 20)
    assert [uses(one) for one in done] == [in_common(one) >= 4 for one in done]  # of five one may fail
    assert 5 < sum(map(uses, done)) < 20
    failed = [one for one in done if any(None in own.values() for own in one.scores.values())]
    assert len(failed) > 10
    assert all("failed on" in one.found.warnings[0] for one in failed)
