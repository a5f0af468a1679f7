"""Intervals of a grid's points with one spread for all: what they promise, and what they are worth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from tuner.selection.blocks import all_pairs, blocked
from tuner.selection.statistics import difference, gains


def drawn(rng, means, seeds=3, noise=0.003, block=0.01):
    effects = block * rng.standard_normal(seeds)
    return [dict(enumerate(mean + effects + noise * rng.standard_normal(seeds))) for mean in means]


def test_two_points_are_the_paired_t_test():
    baseline, other = drawn(np.random.default_rng(0), [0.9, 0.91], seeds=5)
    _, found = blocked([baseline, other], 0)
    known = difference(gains(other, baseline))
    for name in ("estimate", "standard_error", "low", "high", "p_value"):
        assert getattr(found, name) == pytest.approx(getattr(known, name)), name


def test_all_intervals_hold_at_once_as_often_as_they_say():
    rng, means = np.random.default_rng(1), np.linspace(0.9, 0.92, 8)
    tries = [blocked(drawn(rng, means), 3) for _ in range(1000)]
    held = [
        all(one.low <= mean - means[3] <= one.high for one, mean in zip(found, means, strict=True) if one is not None)
        for found in tries
    ]
    assert 0.94 <= np.mean(held) <= 0.985  # Bonferroni's intervals are a little wider than they need be


def test_few_seeds_tell_more_together_than_point_by_point():
    rng, wide, narrow = np.random.default_rng(2), [], []
    for _ in range(50):
        points = drawn(rng, [0.9] * 10)
        together = blocked(points, 0)[1]
        alone = difference(gains(points[1], points[0]), 9)
        narrow.append(together.high - together.low)
        wide.append(alone.high - alone.low)
    assert np.median(narrow) < np.median(wide) / 3


def test_a_seed_that_is_missing_takes_its_effect_with_it():
    # Seed 2 is 0.1 better for all, and the second point lacks it: that must not count against the point.
    points = [{0: 0.5, 1: 0.52, 2: 0.61}, {0: 0.55, 1: 0.569}, {0: 0.5, 1: 0.521, 2: 0.609}]
    _, second, third = blocked(points, 0)
    assert second.estimate == pytest.approx(0.05, abs=0.002)
    assert (second.pairs, third.pairs) == (2, 3)
    assert second.is_better
    assert not third.is_better


def test_one_seed_and_values_without_noise_have_no_interval():
    assert [one.low for one in blocked([{0: 0.5}, {0: 0.6}, {0: 0.7}], 0)[1:]] == [None, None]
    same = blocked([{0: 0.5, 1: 0.6}, {0: 0.6, 1: 0.7}], 0)[1]
    assert same.estimate == pytest.approx(0.1)
    assert same.low is None


def test_points_without_values_in_common_say_so():
    _, lost, other = blocked([{0: 0.5, 1: 0.6}, {}, {2: 0.9}], 0)
    assert (lost.pairs, lost.estimate) == (0, None)
    assert (other.pairs, other.estimate) == (0, None)
    assert blocked([{}, {0: 0.5}], 0) == [None, None]


def test_all_pairs_of_two_points_are_the_paired_t_test_both_ways():
    baseline, other = drawn(np.random.default_rng(0), [0.9, 0.91], seeds=5)
    (own, forth), (back, _) = all_pairs([baseline, other])
    known = difference(gains(baseline, other))
    assert own is None
    assert (forth.low, forth.high) == pytest.approx((known.low, known.high), rel=1e-4)
    assert (back.estimate, back.low, back.high) == pytest.approx((-forth.estimate, -forth.high, -forth.low))


def test_all_pairs_hold_at_once_as_often_as_they_say():
    rng, means = np.random.default_rng(1), np.linspace(0.9, 0.92, 6)
    held = 0
    for _ in range(200):
        found = all_pairs(drawn(rng, means))
        held += all(
            one.low <= means[row] - means[column] <= one.high
            for row, across in enumerate(found)
            for column, one in enumerate(across)
            if one is not None
        )
    assert 0.91 <= held / 200 <= 0.985


def test_all_pairs_are_tukeys():
    # Without an effect of the seeds it is scipy's tukey_hsd, but for the degrees of freedom that the seeds take.
    rng = np.random.default_rng(3)
    points = [dict(enumerate(row)) for row in rng.standard_normal((4, 50))]
    found, known = all_pairs(points), stats.tukey_hsd(*(list(one.values()) for one in points)).confidence_interval()
    for row, column in itertools.permutations(range(4), 2):
        assert found[row][column].low == pytest.approx(known.low[row, column], abs=0.05)
        assert found[row][column].estimate == pytest.approx((known.low + known.high)[row, column] / 2, abs=1e-6)
