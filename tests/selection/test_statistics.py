"""Paired differences: worked by hand, against scipy, and what must not change them."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from tests.selection.examples import by_seed
from tuner.selection.statistics import difference, gains, usable

STEPS = st.integers(-1000, 1000).map(lambda steps: steps / 1024)  # sums and differences of these are exact
PAIRS = st.lists(st.tuples(STEPS, STEPS), min_size=3, max_size=10)


def told(pairs, comparisons=1):
    candidate, baseline = (dict(enumerate(values)) for values in zip(*pairs, strict=True))
    return difference(gains(candidate, baseline), comparisons)


def test_three_pairs_worked_by_hand():
    # Differences 1, 2, 3: mean 2, deviation 1, t = 2 sqrt(3). With 2 degrees of freedom Student's law is elementary:
    # p = 1 - t / sqrt(2 + t^2), quantile q at (2q - 1) / sqrt(2q (1 - q)), and Hedges' correction 1 / sqrt(pi).
    found = told([(11, 10), (22, 20), (33, 30)])
    t = 2 * math.sqrt(3)
    assert found.estimate == 2
    assert found.standard_error == pytest.approx(1 / math.sqrt(3))
    assert found.p_value == pytest.approx(1 - t / math.sqrt(14))
    half = 0.95 / math.sqrt(2 * 0.975 * 0.025) / math.sqrt(3)
    assert (found.low, found.high) == (pytest.approx(2 - half), pytest.approx(2 + half))
    assert found.effect_size == pytest.approx(2 / math.sqrt(math.pi))
    assert not found.is_better
    assert not found.is_worse


def test_of_two_comparisons_the_interval_is_at_half_the_error_and_the_p_value_double():
    found = told([(11, 10), (22, 20), (33, 30)], comparisons=2)
    half = 0.975 / math.sqrt(2 * 0.9875 * 0.0125) / math.sqrt(3)
    assert (found.low, found.high) == (pytest.approx(2 - half), pytest.approx(2 + half))
    assert found.p_value == pytest.approx(2 * (1 - 2 * math.sqrt(3) / math.sqrt(14)))
    assert told([(11, 10), (22, 20), (33, 30)], comparisons=99).p_value == 1


def test_interval_and_p_value_are_scipys_paired_t_test():
    candidate, baseline = [0.91, 0.93, 0.92, 0.95, 0.90], [0.90, 0.90, 0.91, 0.91, 0.91]
    found = told(list(zip(candidate, baseline, strict=True)), comparisons=3)
    test = stats.ttest_rel(candidate, baseline)
    interval = test.confidence_interval(1 - 0.05 / 3)
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert found.p_value == pytest.approx(3 * test.pvalue)


def test_wilcoxon_could_not_decide_with_five_pairs():
    assert stats.wilcoxon([1, 2, 3, 4, 5]).pvalue == 0.0625
    assert told([(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]).is_better


def test_hedges_correction_approaches_one():
    many = told([(seed % 2 + 1, 0) for seed in range(1000)])
    assert many.effect_size == pytest.approx(1.5 / 0.5, rel=2e-3)
    assert told([(1, 0), (3, 0)]).effect_size is None


def test_fewer_than_two_pairs_have_no_interval():
    nothing, one = difference({}), told([(3, 1)])
    assert (nothing.pairs, nothing.estimate, nothing.low, nothing.p_value) == (0, None, None, None)
    assert (one.pairs, one.estimate, one.low, one.p_value) == (1, 2, None, None)
    assert not one.is_constant


@pytest.mark.parametrize("gain", [0.0, 0.25, 0.01])
def test_pairs_that_all_differ_by_the_same_have_no_interval(gain):
    found = told([(start + gain, start) for start in (0.5, 0.6, 0.7, 0.8)])
    assert found.is_constant
    assert found.estimate == pytest.approx(gain)
    assert (found.low, found.high, found.p_value, found.effect_size) == (None, None, None, None)
    assert not found.is_better


def test_small_spread_that_was_measured_is_kept():
    assert told([(0.5 + 1e-6, 0.5), (0.6, 0.6), (0.7, 0.7)]).low is not None


def test_failed_seeds_are_left_out_of_the_pairs():
    candidate = usable(by_seed(0.9, None, math.nan, 0.8, math.inf), maximise=True)
    baseline = usable(by_seed(0.5, 0.5, 0.5, 0.5, 0.5), maximise=True)
    assert gains(candidate, baseline) == {100: pytest.approx(0.4), 103: pytest.approx(0.3)}


def test_smaller_is_better_turns_the_scores():
    assert usable({1: 0.5, 2: None}, maximise=False) == {1: -0.5}


@pytest.mark.parametrize(("comparisons", "confidence"), [(0, 0.95), (1, 0.0), (1, 1.0), (1, 95.0)])
def test_impossible_levels_are_refused(comparisons, confidence):
    with pytest.raises(ValueError, match="comparison"):
        difference({1: 0.1, 2: 0.3}, comparisons, confidence)


@given(pairs=PAIRS, comparisons=st.integers(1, 6))
def test_interval_excludes_zero_exactly_where_the_p_value_is_small(pairs, comparisons):
    found = told(pairs, comparisons)
    assume(found.p_value is not None and abs(found.p_value - 0.05) > 1e-9)
    assert (found.p_value < 0.05) == (found.is_better or found.is_worse)


@given(pairs=PAIRS, order=st.randoms())
def test_order_of_the_seeds_does_not_matter(pairs, order):
    numbered = list(enumerate(pairs))
    order.shuffle(numbered)
    shuffled = ({seed: pair[side] for seed, pair in numbered} for side in (0, 1))
    assert difference(gains(*shuffled)) == told(pairs)


@given(pairs=PAIRS, shifts=st.lists(STEPS, min_size=10, max_size=10))
def test_what_a_seed_does_to_both_does_not_matter(pairs, shifts):
    shifted = [(one + shift, other + shift) for (one, other), shift in zip(pairs, shifts, strict=False)]
    assert told(shifted) == told(pairs)


@given(pairs=PAIRS)
def test_exchanging_the_two_turns_the_sign(pairs):
    found, turned = told(pairs), told([(other, one) for one, other in pairs])
    assert found.p_value == pytest.approx(turned.p_value)
    if found.low is not None:
        assert found.low == pytest.approx(-turned.high)
        assert found.effect_size == pytest.approx(-turned.effect_size)
