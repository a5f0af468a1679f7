"""Which candidate is preferred, and what that is worth."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.selection.choice import near_best, preferred, worth

SIMPLE, COSTLY = (0, 2), (2, 2)
STEPS = st.integers(-1000, 1000).map(lambda steps: steps / 1024)
GAINS = st.integers(2, 6).flatmap(
    lambda seeds: st.lists(st.lists(STEPS, min_size=seeds, max_size=seeds, unique=True), min_size=1, max_size=4)
)


def gained(**values):
    return {key: dict(enumerate(own)) for key, own in values.items()}


def alike(values):
    return dict.fromkeys(values, SIMPLE)


def test_within_one_standard_error_of_the_best_the_simplest_is_preferred():
    # Gaps 0.1, -0.1, 0.3: mean 0.1, deviation 0.2, standard error 0.115.
    values = gained(costly=(1.1, 1.9, 3.3), simple=(1.0, 2.0, 3.0))
    assert near_best(values) == ("costly", "simple")
    assert preferred(values, {"costly": COSTLY, "simple": SIMPLE}) == "simple"
    assert preferred(values, {"costly": SIMPLE, "simple": COSTLY}) == "costly"


def test_beyond_one_standard_error_the_best_is_preferred():
    # Gaps 0, 0.1, 0.2: mean 0.1, deviation 0.1, standard error 0.058; that the seeds differ far more is no matter.
    values = gained(costly=(1.0, 2.1, 3.2), simple=(1.0, 2.0, 3.0))
    assert near_best(values) == ("costly",)
    assert preferred(values, {"costly": COSTLY, "simple": SIMPLE}) == "costly"


def test_extra_passes_count_before_the_number_of_sources():
    values = gained(one=(1, 2, 3), two=(3, 1, 2), three=(2, 3, 1))
    assert preferred(values, {"one": (1, 2), "two": (0, 5), "three": (0, 3)}) == "three"


def test_of_equally_simple_ones_the_better_and_of_equals_the_first():
    assert preferred(gained(worse=(1, 2, 3), better=(3, 1, 3)), alike(("worse", "better"))) == "better"
    assert preferred(gained(first=(1, 2), second=(1, 2)), alike(("first", "second"))) == "first"


def test_one_common_seed_is_not_enough_to_be_near():
    assert near_best({"best": {1: 0.5, 2: 0.7}, "other": {2: 0.55}}) == ("best",)


def test_candidates_without_scores_are_not_preferred():
    assert preferred({"none": {}}, alike(["none"])) is None
    assert preferred({}, {}) is None
    assert preferred({"none": {}, "some": {1: -0.5}}, alike(["none", "some"])) == "some"


def test_worth_of_a_winner_by_luck_is_nothing():
    # Without seed 0 the second leads, and has 0 on it; without seed 1 the first, and has 0 there. The mean said 2.
    values = gained(first=(4, 0), second=(0, 2))
    assert preferred(values, alike(values)) == "first"
    assert worth(values, alike(values)) == 0


def test_worth_of_a_clear_winner_is_its_mean():
    values = gained(first=(4, 5, 6), second=(0, 1, 0))
    assert worth(values, alike(values)) == 5


def test_worth_needs_two_seeds():
    assert worth(gained(only=(4,)), alike(["only"])) is None
    assert worth({}, {}) is None


@given(values=GAINS)
def test_a_single_candidate_is_worth_its_mean(values):
    assert worth(gained(only=values[0]), alike(["only"])) == pytest.approx(statistics.fmean(values[0]))


@given(values=GAINS)
def test_names_do_not_matter(values):
    here = {f"{index}": dict(enumerate(own)) for index, own in enumerate(values)}
    there = {f"{9 - index}": own for index, own in enumerate(here.values())}
    assert worth(here, alike(here)) == worth(there, alike(there))
    assert list(here).index(preferred(here, alike(here))) == list(there).index(preferred(there, alike(there)))


@given(values=GAINS, shift=STEPS)
def test_a_gain_that_all_have_is_added_to_the_worth(values, shift):
    here = {str(index): dict(enumerate(own)) for index, own in enumerate(values)}
    there = {key: {seed: gain + shift for seed, gain in own.items()} for key, own in here.items()}
    assert worth(there, alike(there)) == pytest.approx(worth(here, alike(here)) + shift)
