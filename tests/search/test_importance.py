"""Importances: what a planted truth makes important, and what luck must not."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import optuna
import pytest

from tuner.search.importance import BEST, NEEDED, importances


def study(objective: Callable[[optuna.Trial], float], trials: int = 40, seed: int = 0, direction: str = "maximize"):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=seed))
    made.optimize(objective, n_trials=trials)
    return made


def drawn(trial: optuna.Trial) -> tuple[str, float]:
    """Draw a method, alpha for mixup alone, and a probability; return method and alpha."""
    method = trial.suggest_categorical("mixing", ["mixup", "cutmix", "fmix"])
    alpha = trial.suggest_float("mixing.mixup.ratio.alpha", 0.05, 8, log=True) if method == "mixup" else 1.0
    trial.suggest_float("mixing.probability", 0.25, 1.0, step=0.25)
    return str(method), alpha


def method_matters(trial: optuna.Trial) -> float:
    method, _ = drawn(trial)
    return 0.05 * (method == "cutmix") + 0.001 * math.sin(trial.number)


def luck(seed: int) -> Callable[[optuna.Trial], float]:
    values = np.random.default_rng(seed).standard_normal(1000)

    def objective(trial: optuna.Trial) -> float:
        drawn(trial)
        return float(values[trial.number])

    return objective


def test_the_parameter_that_matters_comes_first_and_is_clear():
    found = importances(study(method_matters))
    assert found.parameters[0].parameter == "mixing"
    assert [one.parameter for one in found.parameters if one.is_clear] == ["mixing"]
    assert sum(one.share for one in found.parameters) == pytest.approx(1)
    assert found.warnings == ()


def test_a_parameter_of_one_method_is_judged_among_its_trials():
    def objective(trial: optuna.Trial) -> float:
        method, alpha = drawn(trial)
        return (-abs(math.log(alpha / 0.3)) if method == "mixup" else -1.0) + 0.001 * math.sin(trial.number)

    found = {one.parameter: one for one in importances(study(objective, 60)).parameters}
    assert found["mixing.mixup.ratio.alpha"].trials < 40
    assert found["mixing.mixup.ratio.alpha"].is_clear
    assert not found["mixing.probability"].is_clear


def test_luck_is_seldom_taken_for_importance():
    found = [importances(study(luck(seed), 30, seed)) for seed in range(8)]
    clear = [one for one in found if any(parameter.is_clear for parameter in one.parameters)]
    assert len(clear) <= 1
    said = "no parameter matters more than chance would make it seem"
    assert all((said in one.warnings) == (one not in clear) for one in found)


def test_smaller_is_better_where_the_study_says_so():
    up, down = study(method_matters), study(lambda trial: -method_matters(trial), direction="minimize")
    assert importances(up) == importances(down)


def test_too_few_trials_have_no_importances():
    found = importances(study(method_matters, NEEDED - 1))
    assert (found.parameters, found.finished) == ((), NEEDED - 1)
    assert found.warnings == (f"9 trials ran to the end; importances need {NEEDED}",)


def test_equal_trials_have_no_importances():
    found = importances(study(lambda trial: float(drawn(trial)[0] == "none")))
    assert found.parameters == ()
    assert found.warnings == ("40 of 40 trials are equally good; that tells of no importance",)


def test_a_study_that_searches_nothing_has_no_importances():
    assert importances(study(lambda trial: float(trial.number))).parameters == ()


def test_there_are_at_least_five_best_trials():
    assert importances(study(method_matters, 20)).best >= BEST


def test_stopped_trials_and_rare_parameters_are_said():
    def objective(trial: optuna.Trial) -> float:
        value = method_matters(trial)
        if trial.number < 3:
            trial.suggest_float("rare", 0, 1)
        if trial.number % 4 == 3:
            raise optuna.TrialPruned
        return value

    found = importances(study(objective))
    assert found.finished == 30
    assert found.warnings[0] == "10 stopped trials do not count: what made them stop may look unimportant"
    assert found.warnings[1] == "drawn in fewer than 5 finished trials: rare"


def test_importances_are_plain_values():
    document = json.loads(json.dumps(importances(study(method_matters)).as_json()))
    assert document["parameters"][0]["is_clear"] is True
