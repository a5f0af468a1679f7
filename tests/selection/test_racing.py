"""Who is dropped, when, and what is still to run."""

from __future__ import annotations

import random
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.selection.examples import by_seed, seeds
from tuner.selection.racing import FIRST_LOOK, race

GOOD = (0.90, 0.92, 0.91, 0.93, 0.90)
BAD = (0.50, 0.53, 0.51, 0.52, 0.50)
EQUAL = (0.91, 0.90, 0.93, 0.91, 0.92)
BASE = (0.895, 0.913, 0.908, 0.927, 0.909)


def started(scores, number=5, *, maximise=True):
    """Race all scores but those of "base" against each other and it."""
    keys = [key for key in scores if key != "base"]
    return race(keys, "base", seeds(number), {key: by_seed(*own) for key, own in scores.items()}, maximise)


def test_clearly_beaten_candidate_gets_no_more_seeds():
    state = started({"base": BASE[:3], "good": GOOD[:3], "bad": BAD[:3], "equal": EQUAL[:3]})
    assert state.remaining == ("good", "equal")
    assert (state.dropped["bad"].seeds, state.dropped["bad"].rival) == (3, "equal")
    assert state.dropped["bad"].gap == pytest.approx(0.4)
    assert {key for key, _ in state.todo} == {"base", "good", "equal"}


def test_two_seeds_drop_nobody():
    assert FIRST_LOOK == 3
    state = started({"base": BASE[:2], "good": GOOD[:2], "bad": BAD[:2]})
    assert not state.dropped
    assert ("bad", 102) in state.todo


def test_baseline_drops_candidates_but_is_never_dropped():
    state = started({"base": BASE[:3], "bad": BAD[:3]})
    assert state.dropped["bad"].rival == "base"
    state = started({"base": BAD[:3], "good": GOOD[:3]})
    assert not state.dropped
    with pytest.raises(ValueError, match="does not race"):
        race(["base"], "base", seeds(5), {}, True)


def test_when_all_are_dropped_nothing_is_left_to_run():
    state = started({"base": GOOD[:3], "bad": BAD[:3]})
    assert (state.remaining, state.todo, state.is_over) == ((), (), True)


def test_what_is_to_run_comes_seed_by_seed_the_baseline_first():
    state = started({"base": BASE[:1], "good": (), "bad": BAD[:2]}, 3)
    assert state.todo == (("good", 100), ("base", 101), ("good", 101), ("base", 102), ("good", 102), ("bad", 102))
    assert not state.is_over


def test_smaller_may_be_better():
    state = started({"base": BASE[:3], "good": GOOD[:3], "bad": BAD[:3]}, maximise=False)
    assert set(state.dropped) == {"good"}


def test_look_waits_until_all_who_race_have_run():
    waiting = started({"base": BASE[:3], "good": GOOD[:2], "bad": BAD[:5]})
    assert not waiting.dropped
    assert set(started({"base": BASE[:3], "good": GOOD[:3], "bad": BAD[:5]}).dropped) == {"bad"}


def test_failed_trainings_have_run_but_tell_nothing():
    state = started({"base": BASE[:3], "good": GOOD[:3], "bad": (0.5, None, 0.51)})
    assert not state.dropped
    assert ("bad", 101) not in state.todo
    assert set(started({"base": BASE[:4], "good": GOOD[:4], "bad": (0.5, None, 0.51, 0.49)}).dropped) == {"bad"}


def test_gaps_without_spread_drop_nobody():
    assert not started({"base": (0.75, 0.5, 1.0), "worse": (0.5, 0.25, 0.75)}).dropped


def test_last_seed_drops_nobody():
    assert not started({"base": BASE[:3], "good": GOOD[:3], "bad": BAD[:3]}, 3).dropped


def test_more_comparisons_ask_for_clearer_gaps():
    scores = {"base": (0.9, 0.9, 0.9), "low": (0.80, 0.82, 0.81)}  # t = 15.6, one-sided p = 0.002
    assert set(started(scores, 5).dropped) == {"low"}
    assert not started(scores, 40).dropped


@settings(max_examples=25, deadline=None)
@given(order=st.randoms(), gap=st.floats(0, 0.2), noise=st.integers(0, 1000))
def test_same_candidates_are_dropped_in_whatever_order_trainings_end(order, gap, noise):
    numbers = random.Random(noise)
    truths = {"base": 0.8, "one": 0.8, "two": 0.8 + gap, "three": 0.8 - gap}
    values = {(key, seed): truth + numbers.gauss(0, 0.02) for key, truth in truths.items() for seed in seeds(6)}
    in_turn, at_once = finished(values, lambda todo: todo[0]), finished(values, order.choice)
    assert in_turn[0].dropped == at_once[0].dropped
    assert in_turn[0].remaining == at_once[0].remaining
    assert in_turn[1] <= at_once[1]


def finished(values, choose):
    """Run a race to its end, one training after another as `choose` takes them; return it and how many there were."""
    scores = {key: {} for key, _ in values}
    for trainings in count():
        state = race(["one", "two", "three"], "base", seeds(6), scores, True)
        if state.is_over:
            return state, trainings
        key, seed = choose(state.todo)
        scores[key][seed] = values[key, seed]
    raise AssertionError("endless")
