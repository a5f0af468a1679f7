"""What fresh seeds say beside the objective, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.selection.finalists import Candidate, Cost
from tuner.selection.second_axes import Scored, second_axes

UNMIXED = Candidate("u", {"mixing": {"name": "none"}}, "none", "baseline", 0.8, 1, 0, Cost(), is_baseline=True)
MIXED = Candidate("m", {"mixing": {"name": "puzzlemix"}}, "puzzlemix", "best overall", 0.9, 1, 3, Cost(1, 1, 2))


def scored(accuracy: float, nll: float, ece: float, seconds: float = 1.0, classes=(0.5, 0.7)) -> Scored:
    return Scored({"accuracy": accuracy, "nll": nll, "ece": ece}, tuple(classes), seconds)


def compared(own, unmixed):
    (found,) = second_axes([UNMIXED, MIXED], {"m": own, "u": unmixed})
    return found


def test_lower_likelihood_loss_and_calibration_error_are_gains():
    unmixed = {seed: scored(0.8, 0.5 + 0.01 * seed, 0.10) for seed in range(4)}
    own = {seed: scored(0.8, 0.3 + 0.012 * seed, 0.15 + 0.001 * seed) for seed in range(4)}
    found = compared(own, unmixed)
    assert found.axis("nll").difference.estimate == pytest.approx(0.2 - 0.002 * 1.5)
    assert found.axis("ece").difference.estimate == pytest.approx(-0.05 - 0.001 * 1.5)
    assert found.axis("nll").mean == pytest.approx(0.318)
    assert found.axis("nll").unmixed == pytest.approx(0.515)
    words = " ".join(found.words())
    assert "negative log-likelihood: puzzlemix (trial 3) is better by 0.1970" in words
    assert "calibration error: puzzlemix (trial 3) is worse by 5.15 points" in words


def test_time_is_told_as_a_ratio_with_the_passes_that_take_it():
    found = compared({0: scored(0.8, 0.5, 0.1, 3.0)}, {0: scored(0.8, 0.5, 0.1, 1.5)})
    assert found.slower == 2
    assert "takes 2.00 times as long as without mixing, with up to 2 more passes" in found.words()[-1]


def test_a_class_counts_only_on_the_seeds_that_both_have_and_an_empty_one_not_at_all():
    own = {0: scored(0.8, 0.5, 0.1, classes=(0.6, None)), 1: scored(0.8, 0.5, 0.1, classes=(0.7, None))}
    unmixed = {1: scored(0.8, 0.5, 0.1, classes=(0.4, None)), 2: scored(0.8, 0.5, 0.1, classes=(0.1, None))}
    first, empty = compared(own, unmixed).classes
    assert (first.pairs, first.estimate, empty) == (1, pytest.approx(0.3), None)


def test_one_seed_alone_has_no_interval_and_says_so():
    found = compared({0: scored(0.9, 0.4, 0.1)}, {0: scored(0.8, 0.5, 0.1)})
    assert found.axis("accuracy").difference.low is None
    assert "too few pairs of seeds" in found.words()[0]


def test_nothing_trained_tells_nothing():
    found = compared({}, {})
    assert (found.axes, found.classes, found.slower, found.words()) == ((), (), None, ())


@given(st.permutations(range(5)), st.integers(0, 2**16))
def test_the_order_of_the_seeds_does_not_matter(order, salt):
    own = {seed: scored(0.8 + (seed * salt % 7) / 100, 0.5, 0.1 + (seed * salt % 5) / 100) for seed in range(5)}
    unmixed = {seed: scored(0.8, 0.5 + seed / 100, 0.1) for seed in range(5)}
    assert compared({seed: own[seed] for seed in order}, unmixed) == compared(own, unmixed)
