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


def timed(*seconds):
    return {seed: scored(0.8, 0.5, 0.1, one) for seed, one in enumerate(seconds)}


def test_time_is_told_by_pairs_with_their_range_and_the_passes_that_take_it():
    found = compared(timed(3.0, 3.6, 30.0), timed(1.5, 2.0, None))
    assert found.slower == (1.8, 2.0)
    assert (found.seconds, found.unmixed_seconds) == (3.3, 1.75)
    assert found.words()[-1] == (
        "time: an epoch of puzzlemix (trial 3) takes 1.80 to 2.00 times as long as without mixing on the same seed, "
        "with up to 2 more passes through the model a step"
    )


@pytest.mark.parametrize(("own", "unmixed"), [((0.2, 6.8), (0.1, 1.0)), ((1.0, 1.2), (1.1, 1.0))])
def test_seeds_that_disagree_on_the_time_tell_nothing(own, unmixed):
    assert "it cannot be told what puzzlemix (trial 3) costs" in compared(timed(*own), timed(*unmixed)).words()[-1]


def test_one_pair_tells_no_time():
    found = compared(timed(3.0), timed(1.5))
    assert found.slower is None
    assert "time: too few pairs of seeds" in found.words()[-1]


def test_equal_scores_are_no_lack_of_seeds():
    same = compared(timed(1, 1, 1, 1), timed(1, 1, 1, 1)).words()
    assert same[0] == (
        "accuracy: puzzlemix (trial 3) differs from no mixing by the same on 4 seeds, 0.00 points: no spread, so no "
        "certainty"
    )


def test_means_are_over_the_seeds_that_both_have_and_know():
    own = {0: scored(0.9, 0.4, 0.1), 1: scored(0.7, float("inf"), 0.1), 2: scored(0.8, 0.6, 0.1)}
    unmixed = {1: scored(0.6, 0.5, 0.1), 2: scored(0.5, 0.8, 0.1), 3: scored(0.1, 9.0, 0.1)}
    found = compared(own, unmixed)
    accuracy, nll = found.axis("accuracy"), found.axis("nll")
    assert (accuracy.mean, accuracy.unmixed) == (pytest.approx(0.75), pytest.approx(0.55))
    assert accuracy.mean - accuracy.unmixed == pytest.approx(accuracy.difference.estimate)
    assert (nll.mean, nll.unmixed, nll.difference.pairs) == (0.6, 0.8, 1)


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
