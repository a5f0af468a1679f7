"""What categorical choices do to the objective: against statsmodels, and against truths."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api
from hypothesis import given
from hypothesis import strategies as st

from tuner.results import TrialRecord, TrialState, flatten
from tuner.selection.effects import effects


def trial(number, value, *, state=TrialState.COMPLETE, method="mixup", ratio=None, **mixing):
    config = {"mixing": {"name": method, "ratio": ratio or {"name": "beta", "alpha": 1.0}, **mixing}}
    return TrialRecord(number, state, "", flatten(config), (0.5, value), {}, number, config=config)


def of(factor, trials, maximise=True):
    [found] = [one for one in effects(trials, metric="val_accuracy", maximise=maximise) if one.factor == factor]
    return found


def by_probability(values):
    return [trial(n, value, probability=probability) for n, (probability, value) in enumerate(values)]


def drawn(seed, count=24, gain=0.0, noise=0.002):
    """Return trials of two probabilities, the higher of which gains; high alphas, which are worse, go with it."""
    rng = np.random.default_rng(seed)
    trials = []
    for number in range(count):
        probability = float(rng.choice([0.5, 1.0]))
        alpha = float(np.exp(rng.normal(1.0 if probability == 1.0 else -1.0, 1.0)))
        value = 0.87 + gain * (probability == 1.0) - 0.004 * np.log(alpha) + noise * rng.standard_normal()
        trials.append(trial(number, value, ratio={"name": "beta", "alpha": alpha}, probability=probability))
    return trials


SIX = [(0.5, 0.80), (0.5, 0.81), (0.5, 0.82), (1.0, 0.86), (1.0, 0.87), (1.0, 0.88)]


def test_two_levels_by_hand():
    found = of("probability", by_probability(SIX))
    low, high = found.levels
    assert [(level.value, level.trials, level.mean) for level in found.levels] == [
        ("0.5", 3, pytest.approx(0.81)),
        ("1.0", 3, pytest.approx(0.87)),
    ]
    # Half of the difference of 0.06. Its error is half of 0.01 sqrt(2/3), and t with 4 degrees of freedom is 2.776.
    assert high.difference == pytest.approx(0.03)
    assert high.high - high.difference == pytest.approx(2.7764 * 0.5 * 0.01 * np.sqrt(2 / 3), rel=1e-4)
    assert low.difference == pytest.approx(-0.03)
    assert found.freedom == 4


@pytest.mark.parametrize("trials", [3, 4])
def test_a_handful_of_trials_tells_nothing_of_a_factor(trials):
    found = of("probability", by_probability([(0.5, 0.80), (1.0, 0.86), (0.5, 0.82), (1.0, 0.88)][:trials]))
    assert (found.levels, found.p_value) == ((), None)
    assert f"{trials} trials that ran to the end cannot tell 0.5 and 1.0 apart" in found.words


def test_it_is_statsmodels_least_squares():
    trials = drawn(0, gain=0.003)
    found = of("probability", trials)
    ones = np.array([float(one.params["mixing.probability"] == 1.0) for one in trials])
    logarithms = np.log([one.params["mixing.ratio.alpha"] for one in trials])
    design = np.column_stack([1 - ones, ones, logarithms, logarithms**2])
    fit = statsmodels.api.OLS([one.curve[-1] for one in trials], design).fit()
    test = fit.t_test([[-0.5, 0.5, 0, 0]])
    level = found.levels[1]
    assert found.adjusted_for == ("mixing.ratio.alpha",)
    assert level.difference == pytest.approx(float(test.effect[0]))
    assert (level.low, level.high) == pytest.approx(tuple(test.conf_int()[0]))
    assert found.p_value == pytest.approx(float(fit.f_test([[1, -1, 0, 0]]).pvalue))
    assert found.freedom == fit.df_resid


def test_three_levels_have_statsmodels_f_test():
    values = [0.80, 0.81, 0.79, 0.84, 0.85, 0.83, 0.80, 0.82, 0.81]
    found = of("depths", [trial(n, value, depths=[[0], [0, 1], [0, 1, 2]][n // 3]) for n, value in enumerate(values)])
    fit = statsmodels.api.OLS(values, np.kron(np.eye(3), np.ones((3, 1)))).fit()
    assert found.p_value == pytest.approx(float(fit.f_test([[1, -1, 0], [0, 1, -1]]).pvalue))
    assert [level.value for level in found.levels] == ["[0]", "[0, 1]", "[0, 1, 2]"]
    assert found.words == (
        "depths: [0, 1] is best, +2.33 points against [0], [0, 1] and [0, 1, 2] on average, "
        "+1.18 to +3.49 points (p = 0.0066, 9 trials that ran to the end)"
    )


def test_alpha_that_went_with_a_level_is_not_taken_for_its_effect():
    found = [of("probability", drawn(seed)) for seed in range(40)]
    low = sum(one.levels[1].low <= 0 <= one.levels[1].high for one in found)
    assert low >= 35
    raw = [replace(one, params={**one.params, "mixing.ratio.alpha": 1.0}) for one in drawn(0)]
    assert of("probability", raw).levels[1].high < 0


def test_a_planted_effect_lies_in_its_interval():
    found = [of("probability", drawn(seed, gain=0.006)) for seed in range(40)]
    assert sum(one.levels[1].low <= 0.003 <= one.levels[1].high for one in found) >= 35


def test_smaller_is_better_where_the_objective_says_so():
    trials = by_probability(SIX)
    up, down = of("probability", trials), of("probability", trials, maximise=False)
    assert [level.difference for level in down.levels] == pytest.approx([-level.difference for level in up.levels])
    assert [level.mean for level in down.levels] == pytest.approx([level.mean for level in up.levels])
    assert (down.levels[0].low, down.levels[0].high) == pytest.approx((-up.levels[0].high, -up.levels[0].low))


def test_beta_is_the_dirichlet_distribution_of_two():
    dirichlet = [
        trial(n, 0.8 + n / 100, ratio={"name": "dirichlet", "count": 3 + n % 2, "alpha": 1.0}) for n in range(4)
    ]
    beta = [trial(10 + n, 0.85 + n / 100) for n in range(3)]
    normal = [trial(20, 0.1, ratio={"name": "truncated_normal", "sigma": 0.2})]
    found = of("N", [*dirichlet, *beta, *normal])
    assert [(level.value, level.trials) for level in found.levels] == [("2", 3), ("3", 2), ("4", 2)]


def test_only_mixed_trials_that_ran_to_the_end_count():
    trials = by_probability(SIX)
    others = [
        trial(10, 0.1, probability=0.5, state=TrialState.PRUNED),
        trial(11, 0.1, probability=0.5, state=TrialState.FAILED),
        trial(12, 0.1, method="none"),
        trial(13, float("nan"), probability=0.5),
    ]
    assert effects([*trials, *others], metric="val_accuracy", maximise=True) == effects(
        trials, metric="val_accuracy", maximise=True
    )


def test_a_setting_that_comes_with_the_method_is_no_other_setting():
    trials = [trial(n, 0.8 + n / 100) for n in range(4)]
    cutmix = [trial(10 + n, 0.9 + n / 100, method="cutmix", inside=True) for n in range(4)]
    found = of("method", trials + cutmix)
    assert (found.adjusted_for, found.left_out) == ((), ())


def test_what_cannot_be_adjusted_for_is_said():
    trials = [trial(n, 0.8 + n / 100, probability=0.5 + 0.5 * (n % 2), depths=[0] if n < 2 else [1]) for n in range(4)]
    assert of("probability", trials).left_out == ("mixing.depths",)


def test_too_few_trials_tell_nothing():
    found = of("probability", by_probability([(0.5, 0.8), (1.0, 0.9)]))
    assert (found.levels, found.p_value) == ((), None)
    assert found.words == "probability: 2 trials that ran to the end cannot tell 0.5 and 1.0 apart"


def test_trials_that_do_not_differ_have_no_effects():
    assert effects([trial(n, 0.8) for n in range(5)], metric="val_accuracy", maximise=True) == ()
    assert effects([], metric="val_accuracy", maximise=True) == ()


@given(seed=st.integers(0, 100), shift=st.floats(-5, 5))
def test_order_and_level_of_the_values_change_no_difference(seed, shift):
    trials = drawn(seed % 5, count=12)
    rng = np.random.default_rng(seed)
    moved = [replace(trials[i], curve=(0.0, trials[i].curve[-1] + shift)) for i in rng.permutation(len(trials))]
    for own, other in zip(of("probability", trials).levels, of("probability", moved).levels, strict=True):
        assert other.difference == pytest.approx(own.difference, abs=1e-9)
        assert other.low == pytest.approx(own.low, abs=1e-9)


def test_an_effect_is_plain_values():
    found = of("probability", drawn(0))
    assert json.loads(json.dumps(found.as_json()))["levels"][0]["value"] == "0.5"
