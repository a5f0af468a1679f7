"""Which trials are trained again, and what they are compared with."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from tests.selection.examples import config, cost, trial
from tuner.results import TrialState
from tuner.selection.finalists import Cost, candidates, key_of

NONE = trial(0, 0.5, "none", baseline=True)


def chosen(*trials, finalists=3, maximise=True):
    return candidates((NONE, *trials), finalists, maximise, cost)


def numbers(found):
    return [one.trial for one in found]


def test_best_of_each_method_comes_before_the_best_of_the_rest():
    trials = [
        trial(1, 0.9, "cutmix", 1),
        trial(2, 0.8, "cutmix", 2),
        trial(3, 0.6, "mixup"),
        trial(4, 0.7, "cutmix", 3),
    ]
    found = chosen(*trials)
    assert numbers(found) == [0, 1, 3, 2]
    assert [one.origin for one in found] == [
        *("baseline", "best overall, best of cutmix", "best of mixup", "next best overall"),
    ]
    assert numbers(chosen(*trials, finalists=1)) == [0, 1]
    assert numbers(chosen(*trials, finalists=9)) == [0, 1, 3, 2, 4]


def test_more_methods_than_finalists_leave_the_worse_ones_out():
    trials = [trial(1, 0.6, "mixup"), trial(2, 0.7, "cutmix"), trial(3, 0.8, "fmix")]
    assert numbers(chosen(*trials, finalists=2)) == [0, 3, 2]


@pytest.mark.parametrize("state", [TrialState.PRUNED, TrialState.FAILED, TrialState.RUNNING])
def test_only_whole_trainings_are_finalists(state):
    found = chosen(trial(1, 0.99, "cutmix", state=state), trial(2, 0.6, "mixup"), trial(3, math.nan, "fmix"))
    assert numbers(found) == [0, 2]


def test_last_epoch_counts_not_the_best_one():
    peaked = trial(1, 0, "cutmix", curve=(0.9, 0.9, 0.4))
    assert numbers(chosen(peaked, trial(2, 0, "mixup", curve=(0.1, 0.2, 0.5)), finalists=1)) == [0, 2]


def test_repeats_of_a_configuration_are_one_by_their_mean():
    lucky, unlucky = trial(1, 0.9, "cutmix"), trial(3, 0.5, "cutmix", seed=1)
    steady = trial(2, 0.8, "mixup")
    found = chosen(lucky, unlucky, steady)
    assert numbers(found) == [0, 2, 1]
    assert (found[2].search_value, found[2].repeats) == (pytest.approx(0.7), 2)
    failed = trial(4, 0.1, "mixup", state=TrialState.FAILED, seed=1)
    assert chosen(steady, failed)[1].search_value == 0.8


def test_where_smaller_is_better_the_smallest_is_first():
    found = chosen(trial(1, 0.3, "cutmix"), trial(2, 0.2, "mixup"), trial(3, 0.1, "mixup", 2), maximise=False)
    assert numbers(found) == [0, 3, 1, 2]


def test_baseline_is_the_best_without_mixing_where_more_is_searched():
    slow = trial(1, 0.6, "none", beside={"rate": 0.1})
    also_slow, quick = trial(2, 0.2, "none", beside={"rate": 0.1}, seed=1), trial(3, 0.55, "none", beside={"rate": 1})
    found = chosen(slow, also_slow, quick, trial(4, 0.7, "mixup"))
    assert found[0].trial == 3
    assert [one.is_baseline for one in found] == [True, False]


def test_baseline_that_has_not_ended_is_still_what_the_others_are_compared_with():
    waiting = trial(0, 0, "none", baseline=True, state=TrialState.FAILED, curve=())
    baseline, mixed = candidates((waiting, trial(1, 0.6, "mixup")), 3, True, cost)
    assert (baseline.trial, baseline.search_value, baseline.repeats) == (0, None, 0)
    assert mixed.trial == 1


def test_study_without_a_baseline_is_refused():
    with pytest.raises(ValueError, match="no trial without mixing"):
        candidates((trial(1, 0.6, "mixup"),), 3, True, cost)


def test_best_published_setting_comes_along():
    published = [trial(1, 0.4, "mixup", baseline=True), trial(2, 0.3, "cutmix", baseline=True)]
    tuned = [trial(3, 0.9, "cutmix", 0.2), trial(4, 0.8, "cutmix", 0.4), trial(5, 0.7, "mixup", 0.2)]
    found = chosen(*published, *tuned, finalists=2)
    assert numbers(found) == [0, 3, 5, 1]
    assert found[-1].origin == "published"


def test_published_setting_that_is_a_finalist_comes_once():
    found = chosen(trial(1, 0.9, "mixup", baseline=True), trial(2, 0.3, "cutmix"))
    assert numbers(found) == [0, 1, 2]
    assert found[1].origin == "best overall, best of mixup, published"


def test_a_search_without_mixed_trials_has_no_finalists():
    assert numbers(chosen()) == [0]


def test_costs_are_those_of_the_mixing_block():
    found = chosen(trial(1, 0.6, "fmix"))
    assert [one.cost for one in found] == [Cost(), Cost(1, 1, 2)]
    assert found[1].simplicity > found[0].simplicity


def test_key_is_the_configurations_and_the_same_in_every_process():
    own = config("mixup", 0.2, training={"epochs": 3})
    backwards = dict(reversed(own.items()))
    assert key_of(own) == key_of(backwards)
    assert key_of(own) != key_of(config("mixup", 0.3, training={"epochs": 3}))
    code = f"from tuner.selection.finalists import key_of; print(key_of({json.dumps(own)}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == key_of(own)
