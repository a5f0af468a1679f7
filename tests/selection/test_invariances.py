"""What must not change a verdict, nor what is said of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.selection.examples import by_seed, candidate, found, seeds
from tuner.selection.recommend import recommend

NONE, MIXUP, CUTMIX, FMIX = (candidate(*one) for one in (("none", 0.90), ("mixup", 0.92), ("cutmix", 0.93), ("fmix",)))
EVERYONE = (NONE, MIXUP, CUTMIX, FMIX)
STEPS = st.integers(0, 1024).map(lambda steps: steps / 1024)
TABLES = st.lists(st.lists(STEPS, min_size=5, max_size=5), min_size=4, max_size=4)


def verdict_of(done):
    effect = done.effect
    numbers = (effect.estimate, effect.low, effect.high, effect.p_value, effect.uncorrected, effect.effect_size)
    return done.verdict, [None if one is None else pytest.approx(one, rel=1e-6, abs=1e-9) for one in numbers]


def plain_of(done):
    effect = done.effect
    return done.verdict, [
        *(effect.estimate, effect.low, effect.high, effect.p_value, effect.uncorrected, effect.effect_size)
    ]


@settings(max_examples=25, deadline=None)
@given(table=TABLES)
def test_direction_of_the_metric_does_not_matter(table):
    upright = list(zip(EVERYONE, table, strict=True))
    turned = [(candidate(one.method, -one.search_value), [-score for score in own]) for one, own in upright]
    here, there = found(upright), found(turned, maximise=False)
    assert plain_of(here) == verdict_of(there)
    assert here.policy == there.policy


@settings(max_examples=25, deadline=None)
@given(table=TABLES, shifts=st.lists(STEPS, min_size=5, max_size=5))
def test_what_a_seed_does_to_all_does_not_matter(table, shifts):
    shifted = [[score + shift for score, shift in zip(own, shifts, strict=True)] for own in table]
    here, there = (found(list(zip(EVERYONE, one, strict=True))) for one in (table, shifted))
    assert plain_of(here) == verdict_of(there)
    assert here.policy == there.policy


@settings(max_examples=25, deadline=None)
@given(table=TABLES, order=st.randoms())
def test_order_in_which_scores_are_kept_does_not_matter(table, order):
    scores = {one.key: list(by_seed(*own).items()) for one, own in zip(EVERYONE, table, strict=True)}
    here = recommend(EVERYONE, {key: dict(own) for key, own in scores.items()}, seeds(5), "m", True)
    for own in scores.values():
        order.shuffle(own)
    keys = list(scores)
    order.shuffle(keys)
    there = recommend(EVERYONE, {key: dict(scores[key]) for key in keys}, seeds(5), "m", True)
    assert json.dumps(here.as_json()) == json.dumps(there.as_json())


@settings(max_examples=25, deadline=None)
@given(table=TABLES)
def test_names_do_not_matter(table):
    one, other = candidate("mixup", 0.92), candidate("mixup", 0.92, 2, beside=1)
    here = found(list(zip((NONE, one, CUTMIX, other), table, strict=True)))
    there = found(list(zip((NONE, other, CUTMIX, one), table, strict=True)))
    assert plain_of(here) == plain_of(there)
