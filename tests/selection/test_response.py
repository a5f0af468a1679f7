"""The curve over alpha, and the interval of alpha that is as good as the best."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.selection.alphas import EPOCHS, HIGH, LOW, Truth, record, study
from tuner.results import TrialState
from tuner.selection.response import NEEDED, responses

SEARCHED = {("mixup", "beta"): (LOW, HIGH)}
PEAK, FLAT, END = Truth(gain=0.02), Truth(gain=0.0), Truth(gain=0.03, best=HIGH, slow=0.0)


def response(trials, **more):
    [found] = responses(trials, **{"maximise": True, "searched": SEARCHED, **more})
    return found


@cache
def found(truth, seed, trials=30):
    return response(study(truth, trials, seed), maximise=truth.maximise)


def finished(trials):
    return [trial for trial in trials if trial.state is TrialState.COMPLETE]


def at(curve, alpha):
    return float(np.interp(np.log(alpha), np.log(curve.values), curve.mean))


def width(interval):
    return float(np.log(interval[1] / interval[0]))


def whole(alphas, objective=lambda alpha: 0.87 - 0.002 * np.log(alpha) ** 2):
    return [record(n, alpha, [0.5] * (EPOCHS - 1) + [float(objective(alpha))]) for n, alpha in enumerate(alphas)]


def test_the_interval_holds_the_planted_best():
    intervals = [one.interval for one in (found(PEAK, seed) for seed in range(6)) if one.interval]
    assert len(intervals) >= 5
    assert sum(low <= PEAK.best <= high for low, high in intervals) >= len(intervals) - 1
    assert np.mean([width(interval) for interval in intervals]) < 0.75 * width((LOW, HIGH))


@pytest.mark.heavy
@pytest.mark.parametrize("best", [0.3, 1.0, 3.0])
def test_the_interval_holds_the_planted_best_in_nine_studies_of_ten(best):
    truth = replace(PEAK, best=best)
    intervals = [one.interval for one in (found(truth, seed, 48) for seed in range(40)) if one.interval]
    assert len(intervals) >= 35  # of the others too few ran to the end
    assert np.mean([low <= best <= high for low, high in intervals]) >= 0.9


def test_where_alpha_does_not_matter_every_alpha_is_as_good():
    drawn = [one for one in (found(FLAT, seed) for seed in range(4)) if one.curve]
    assert len(drawn) >= 3
    for one in drawn:
        assert one.interval == (LOW, HIGH)
        assert "no alpha from 0.05 to 8 is worse than another" in one.words
        assert not any("widen" in warning for warning in one.warnings)


def test_the_band_holds_most_of_the_true_curve():
    alphas = np.array(found(PEAK, 0).curve.values)
    shares = []
    for truth in (PEAK, FLAT):
        true = truth.final(alphas)
        for curve in filter(None, (found(truth, seed).curve for seed in range(4))):
            shares.append(np.mean((np.array(curve.low) <= true) & (true <= np.array(curve.high))))
    assert np.mean(shares) > 0.8


def test_a_best_at_the_end_of_the_range_asks_for_a_wider_one():
    drawn = [one for one in (found(END, seed) for seed in range(4)) if one.curve]
    words = "mixup (beta): the best alpha may lie above 8, the end of the searched range; widen alpha to 0.05 .. 50"
    assert len(drawn) >= 3
    assert all(words in one.warnings for one in drawn)


def test_a_best_at_the_beginning_of_the_range_asks_for_a_wider_one():
    one = response(whole(np.geomspace(LOW, HIGH, 8), lambda alpha: 0.9 - 0.01 * np.log(alpha / LOW)))
    assert one.warnings == (
        "mixup (beta): the best alpha may lie below 0.05, the end of the searched range; widen alpha to 0.005 .. 8",
    )


def test_a_best_inside_the_range_asks_for_nothing():
    assert not any("widen" in warning for seed in range(6) for warning in found(PEAK, seed).warnings)


def test_a_part_of_the_range_where_nothing_ran_to_the_end_is_said():
    one = response([*whole([0.06, 0.1, 0.2, 0.4, 0.8]), record(9, 4.0, [0.5] * 9, TrialState.PRUNED)])
    assert "mixup (beta): no trial with alpha above 0.8 ran to the end; that 8 is as good is a guess" in one.warnings


@given(seed=st.integers(0, 1000))
@settings(max_examples=2, deadline=None)
def test_the_order_of_the_trials_does_not_matter(seed):
    trials = study(PEAK, 30, 0)
    shuffled = random.Random(seed).sample(trials, len(trials))
    assert response(shuffled) == response(trials)


@given(factor=st.floats(0.01, 100), shift=st.floats(-10, 10))
@settings(max_examples=2, deadline=None)
def test_another_unit_of_the_objective_changes_the_curve_s_unit_alone(factor, shift):
    trials = study(PEAK, 30, 0)
    own = response(trials)
    other = response([replace(one, curve=tuple(shift + factor * value for value in one.curve)) for one in trials])
    assert other.interval == own.interval
    assert other.curve.mean == pytest.approx([shift + factor * value for value in own.curve.mean], rel=1e-4)
    assert other.noise == pytest.approx(factor * own.noise, rel=1e-3)


def test_an_objective_to_minimise_is_the_same_upside_down():
    up, down = found(PEAK, 1), found(replace(PEAK, maximise=False), 1)
    assert down.interval == up.interval
    assert down.curve.mean == pytest.approx([1 - value for value in up.curve.mean], abs=1e-5)
    assert down.curve.low == pytest.approx([1 - value for value in up.curve.high], abs=1e-5)


def test_a_trial_stopped_at_its_low_early_value_does_not_drag_the_curve_down():
    trials = finished(study(PEAK, 12, 5, stops=False))
    usual = np.median([trial.curve[2] for trial in trials])
    stopped = [
        record(100 + n, alpha, [0.6, 0.7, usual - 0.002], TrialState.PRUNED) for n, alpha in enumerate((0.7, 1.0, 1.4))
    ]
    without, beside = response(trials).curve, response([*trials, *stopped]).curve
    assert abs(at(beside, 1.0) - at(without, 1.0)) < 0.001
    assert at(beside, 1.0) - usual > 0.08


def test_a_stopped_trial_never_raises_the_curve_above_what_was_reached():
    trials = finished(study(PEAK, 12, 5, stops=False))
    early = max(trial.curve[2] for trial in trials)
    promising = [record(100 + n, 6.0, [0.6, 0.7, early + 0.01], TrialState.PRUNED) for n in range(3)]
    reached = max(trial.curve[-1] for trial in trials)
    assert max(response([*trials, *promising]).curve.mean) < reached + PEAK.noise


def test_stopped_trials_narrow_the_interval():
    pairs = [(found(PEAK, seed), response(finished(study(PEAK, 30, seed)))) for seed in range(4)]
    widths = [(width(beside.interval), width(alone.interval)) for beside, alone in pairs if alone.interval]
    assert np.mean(widths, axis=0)[0] < np.mean(widths, axis=0)[1]


def test_the_effect_of_other_settings_is_no_luck():
    truth = Truth(gain=0.01, probable=0.02)
    trials = study(truth, 20, 2, stops=False)
    hidden = [
        replace(one, params={key: value for key, value in one.params.items() if "probability" not in key})
        for one in trials
    ]
    adjusted, blind = response(trials), response(hidden)
    assert (adjusted.adjusted_for, blind.adjusted_for) == (("mixing.probability",), ())
    assert adjusted.noise < 0.6 * blind.noise


def test_an_effect_that_grows_with_alpha_is_no_luck():
    rng = np.random.default_rng(0)
    trials = [
        record(n, alpha, [0.87 - 0.01 * probability * n / 24 + 0.001 * rng.standard_normal()], probability=probability)
        for n, alpha in enumerate(np.geomspace(LOW, HIGH, 24))
        for probability in [float(rng.choice([0.25, 0.5, 0.75, 1.0]))]
    ]
    assert response(trials).noise < 0.0015


def test_a_measured_noise_takes_the_place_of_the_estimate():
    trials = study(PEAK, 30, 0)
    exact, rough = response(trials, noise=0.0005), response(trials, noise=0.02)
    assert (exact.noise, rough.noise) == (pytest.approx(0.0005), pytest.approx(0.02))
    assert width(exact.interval) < width(found(PEAK, 0).interval) <= width(rough.interval)
    assert rough.interval == (LOW, HIGH)


def on_three_seeds(shared):
    """Return six alphas on three seeds: above 1 they are a point worse; a seed does `shared` to all of them alike."""
    rng = np.random.default_rng(1)
    places = [(seed, alpha) for seed in range(3) for alpha in (0.1, 0.2, 0.5, 1.0, 2.0, 8.0)]
    scores = [0.9 - 0.01 * (a > 1) + shared * (s - 1) + 0.001 * rng.standard_normal() for s, a in places]
    return [
        replace(record(n, alpha, [score]), seed=seed)
        for n, ((seed, alpha), score) in enumerate(zip(places, scores, strict=True))
    ]


def test_what_a_seed_does_to_every_alpha_is_left_out_of_the_curve():
    trials = on_three_seeds(shared=0.01)
    blind = response([replace(one, seed=one.number) for one in trials])
    known = response(trials)
    assert (known.adjusted_for, blind.adjusted_for) == (("seed",), ())
    assert blind.interval == blind.searched  # the seeds hide the fall
    assert 0.8 < known.interval[1] < 2.0


def test_what_a_seed_does_to_every_alpha_is_no_luck():
    alike, apart = response(on_three_seeds(shared=0.01)), response(on_three_seeds(shared=0.0))
    assert alike.noise < 0.003
    assert alike.interval == apart.interval


def test_one_training_of_a_further_seed_leaves_the_others_known():
    trials = on_three_seeds(shared=0.01)
    assert response(trials[:13]).adjusted_for == ("seed",)
    assert response(trials[:13]).interval[1] < 2.0


def test_a_training_that_is_missing_leaves_the_seeds_known():
    one = response([trial for trial in on_three_seeds(shared=0.01) if trial.number not in (3, 11)])
    assert one.adjusted_for == ("seed",)
    assert one.interval[1] < 2.0


def test_too_few_trials_are_said_instead_of_a_curve():
    one = response([*whole([0.1, 0.5, 1.0]), record(9, 4.0, [0.6], TrialState.PRUNED)])
    assert (one.curve, one.best, one.interval, one.noise) == (None, None, None, None)
    assert len(one.points) == NEEDED
    assert one.words == "mixup (beta): trials ran to the end at 3 values of alpha; a curve needs 4"


def test_repeats_of_one_alpha_are_no_curve():
    assert response(whole([0.5, 0.5, 0.5, 1.0, 1.0, 2.0])).curve is None


def test_equal_values_are_as_good():
    assert response(whole([0.1, 0.3, 1.0, 3.0, 6.0], lambda alpha: 0.985)).interval == (LOW, HIGH)


def test_only_trials_that_ended_or_were_stopped_count():
    trials = whole([0.1, 0.3, 1.0, 3.0, 6.0])
    others = [
        replace(trials[0], number=50 + n, state=state)
        for n, state in enumerate((TrialState.FAILED, TrialState.RUNNING))
    ]
    assert response([*trials, *others, replace(trials[0], number=60, curve=())]) == response(trials)


def test_each_method_and_distribution_has_its_own_response():
    base = whole([0.1, 0.3, 1.0, 3.0, 6.0])
    normal = {"mixing.name": "cutmix", "mixing.ratio.name": "truncated_normal"}
    trials = [
        *base,
        *(
            replace(one, number=10 + one.number, params={**normal, "mixing.ratio.sigma": 0.1 * one.number})
            for one in base
        ),
        replace(base[0], number=20, params={"mixing.name": "none"}),
        replace(
            base[0], number=21, params={**base[0].params, "mixing.ratio.name": "uniform", "mixing.ratio.alpha": None}
        ),
        record(22, 0.0, [0.9]),
    ]
    both = responses(trials, maximise=True)
    assert [(one.method, one.distribution, one.parameter) for one in both] == [
        ("cutmix", "truncated_normal", "sigma"),
        ("mixup", "beta", "alpha"),
    ]
    assert [one.searched for one in both] == [(0.1, 0.4), (0.1, 6.0)]
    assert [len(one.points) for one in both] == [4, 5]


def test_an_alpha_that_never_changes_has_no_response():
    assert responses(whole([1.0] * 6), maximise=True) == ()


def test_a_range_that_begins_with_nothing_begins_with_the_smallest_alpha_tried():
    assert response(whole([0.1, 0.3, 1.0]), searched={("mixup", "beta"): (0.0, 8.0)}).searched == (0.1, 8.0)


def test_a_large_study_is_drawn_from_some_of_its_trials():
    one = response(study(PEAK, 200, 0))
    low, high = one.interval
    assert len(one.points) == 200
    assert low <= PEAK.best <= high


def test_a_response_is_plain_values():
    document = json.loads(json.dumps(found(PEAK, 0).as_json()))
    assert set(document["interval"]) == {"low", "high"}
    assert len(document["curve"]["mean"]) == len(document["curve"]["values"])
    assert json.dumps(response(whole([0.1, 1.0])).as_json())
