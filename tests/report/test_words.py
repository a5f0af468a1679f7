"""Policies in words: short where all is as usual, and different wherever two policies differ."""

from __future__ import annotations

from itertools import combinations

import pytest

from tuner.mixing import METHODS
from tuner.report.words import block, policy
from tuner.results import flatten
from tuner.trial import resolve

MIXUP = {"name": "mixup", "ratio": {"name": "beta", "alpha": 0.2}}
CUTMIX = {"name": "cutmix", "ratio": {"name": "beta", "alpha": 1.0}}


def whole(mixing):
    """Return a mixing block as a trial trains by it: with every setting."""
    config = {"dataset": {"name": "digits"}, "model": {"name": "small_cnn"}, "training": {"epochs": 1}}
    return resolve({**config, "mixing": mixing})["mixing"]


@pytest.mark.parametrize(
    ("mixing", "words"),
    [
        ({"name": "none"}, "none"),
        (MIXUP, "mixup, beta alpha 0.2"),
        ({**MIXUP, "probability": 0.75}, "mixup, beta alpha 0.2, on 75 % of batches"),
        ({**MIXUP, "probability": 0.005}, "mixup, beta alpha 0.2, on 0.5 % of batches"),
        ({**MIXUP, "depths": [0, 1]}, "mixup, beta alpha 0.2, depths 0, 1"),
        ({"name": "mixup", "ratio": {"name": "zeta", "gamma": 3.0}}, "mixup, zeta count 4 gamma 3"),
        ({**MIXUP, "ratio": {"name": "beta", "scale": 0.5}}, "mixup, beta alpha 1 scale 0.5"),
        ({"name": "sample_pairing"}, "sample_pairing, fixed shares [0.5, 0.5]"),
        ({**CUTMIX, "official": True, "correct_ratio": False}, "cutmix, beta alpha 1, not correct ratio, official"),
        ({"name": "fmix", "decay_power": 2.5}, "fmix, beta alpha 1, decay power 2.5"),
        ({"name": "switch", "policies": [MIXUP, CUTMIX]}, "switch (mixup, beta alpha 0.2; cutmix, beta alpha 1)"),
        (
            {"name": "switch", "policies": [MIXUP, CUTMIX], "weights": [3.0, 1.0], "probability": 0.5},
            "switch (75 % mixup, beta alpha 0.2; 25 % cutmix, beta alpha 1), on 50 % of batches",
        ),
    ],
)
def test_a_policy_is_told_by_what_is_not_as_usual(mixing, words):
    assert block(whole(mixing)) == words
    assert policy(flatten({"mixing": whole(mixing), "model": {"name": "small_cnn"}})) == words


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"none", "switch"}))
def test_no_two_values_of_any_setting_read_the_same(method):
    usual = whole({"name": method})
    told = {block(usual)}
    names = [name for name in usual if name not in {"name", "ratio"}]
    for name in names:
        told.add(block({**usual, name: other(usual[name])}))
    for name in usual.get("ratio", {}):
        told.add(block({**usual, "ratio": {**usual["ratio"], name: other(usual["ratio"][name])}}))
    assert len(told) == 1 + len(names) + len(usual.get("ratio", {}))


def test_no_two_switches_read_the_same():
    parts = [[MIXUP, CUTMIX], [CUTMIX, MIXUP], [MIXUP, MIXUP], [MIXUP, {**CUTMIX, "inside": True}]]
    told = [block(whole({"name": "switch", "policies": one})) for one in parts]
    assert all(one != another for one, another in combinations(told, 2))


def test_a_method_of_one_s_own_is_told_with_all_its_settings():
    assert block({"import": "mine:mix", "strength": 0.5}) == "mine:mix, strength 0.5"


def test_a_trial_without_a_policy_is_not_known():
    assert policy({}) == "?"


def other(value):
    """Return another value of a setting, of the same kind where that can be seen."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return (*value, 1)
    return value + 0.5 if isinstance(value, int | float) else "another"
