"""The records that travel, and what scripts read of them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tuner.results import (
    CLASSIFIED,
    OBJECTIVES,
    REGRESSED,
    EpochMetrics,
    StudyResult,
    StudyState,
    TrialRecord,
    TrialState,
    averaged,
    best_of,
    flatten,
    over_seeds,
    unmixed_baseline,
)


def record(number: int, *curve: float, state: TrialState = TrialState.COMPLETE, **more: Any) -> TrialRecord:
    fields: dict[str, Any] = {"cause": "", "params": {"mixing.name": "mixup"}, "metrics": {}, "seed": 0, **more}
    return TrialRecord(number=number, state=state, curve=curve, **fields)


def metrics(**more: float) -> EpochMetrics:
    values: dict[str, Any] = {
        "epoch": 1,
        "train_loss": 1.0,
        "val_accuracy": 0.5,
        "val_nll": 1.0,
        "val_ece": 0.1,
        "learning_rate": 0.1,
        "examples_per_second": 10.0,
        "seconds": 1.0,
    }
    return EpochMetrics(**{**values, **more})


def regression(**more: float) -> EpochMetrics:
    values = {"val_rmse": 5.0, "val_mae": 4.0, "val_r2": 0.5}
    others = {name: value for name, value in metrics().as_dict().items() if name not in CLASSIFIED}
    return EpochMetrics.of(1, {**others, **values, **more})


def test_a_regression_has_its_own_scores_and_no_others():
    assert set(regression().as_dict()) == {*REGRESSED, *metrics().as_dict().keys() - set(CLASSIFIED)}
    assert EpochMetrics.of(1, regression().as_dict()) == regression()
    assert regression().wrong() == metrics().wrong() == ""
    assert regression(val_r2=-3.0).wrong() == ""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"val_r2": 1.01}, "val_r2 at epoch 1: wanted at most 1, got 1.01"),
        ({"val_rmse": -0.1}, "val_rmse at epoch 1: wanted an error, which is not below 0, got -0.1"),
        ({"val_mae": None}, "val_mae at epoch 1: wanted a number, got None"),
        ({"train_loss": None}, "train_loss at epoch 1: wanted a number, got None"),
    ],
    ids=str,
)
def test_what_no_regression_can_have_measured_is_said(values, words):
    assert regression(**values).wrong() == words


@pytest.mark.parametrize("name", ["train_loss", *REGRESSED])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_regression_with_nan_or_infinity_is_not_finite(name, value):
    assert regression().is_finite()
    assert not regression(**{name: value}).is_finite()


@pytest.mark.parametrize("name", ["train_loss", "val_accuracy", "val_nll", "val_ece"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_metrics_with_nan_or_infinity_are_not_finite(name, value):
    assert metrics().is_finite()
    assert not metrics(**{name: value}).is_finite()


def test_every_objective_is_a_metric_with_a_direction():
    assert set(OBJECTIVES) == {*CLASSIFIED, *REGRESSED, "train_loss"}
    assert set(CLASSIFIED) <= set(metrics().as_dict())
    assert set(REGRESSED) <= set(regression().as_dict())
    assert set(OBJECTIVES.values()) == {"max", "min"}
    assert "epoch" not in metrics().as_dict()


def test_best_is_the_last_value_of_a_whole_training():
    stopped = record(0, 0.99, state=TrialState.PRUNED)
    failed = record(1, 0.98, state=TrialState.FAILED)
    peaked, better, equal = record(2, 0.9, 0.5), record(3, 0.1, 0.6), record(4, 0.6)
    trials = [equal, stopped, failed, peaked, better]
    assert best_of(trials, maximise=True) is better
    assert best_of(trials, maximise=False) is peaked
    assert best_of([stopped, failed], maximise=True) is None


def test_baseline_is_the_best_whole_unmixed_training_or_the_given_one_while_there_is_none():
    unmixed = {"mixing.name": "none"}
    given_mixup = record(0, 0.9, baseline=True)
    given = record(1, 0.5, params=unmixed, baseline=True)
    better, stopped = record(2, 0.6, params=unmixed), record(3, 0.8, params=unmixed, state=TrialState.PRUNED)
    assert unmixed_baseline([given_mixup, given, better, stopped], maximise=True) is better
    assert unmixed_baseline([given_mixup, given, better, stopped], maximise=False) is given
    running = record(1, 0.5, params=unmixed, state=TrialState.RUNNING, baseline=True)
    assert unmixed_baseline([given_mixup, running, stopped], maximise=True) is running
    assert unmixed_baseline([given_mixup], maximise=True) is None


def test_configuration_is_flattened_to_dotted_names():
    config = {"mixing": {"name": "mixup", "ratio": {"name": "beta", "alpha": 0.2}, "depths": [0, 1]}, "seed": 1}
    assert flatten(config) == {
        "mixing.name": "mixup",
        "mixing.ratio.name": "beta",
        "mixing.ratio.alpha": 0.2,
        "mixing.depths": [0, 1],
        "seed": 1,
    }


def test_list_of_sections_is_flattened_by_position():
    config = {"policies": [{"name": "mixup", "ratio": {"alpha": 0.2}}, {"name": "none"}], "weights": [0.3, 0.7]}
    assert flatten(config) == {
        "policies.0.name": "mixup",
        "policies.0.ratio.alpha": 0.2,
        "policies.1.name": "none",
        "weights": [0.3, 0.7],
    }


def test_json_has_the_keys_that_scripts_rely_on():
    trials = (record(0, 0.5, 0.6), record(1, 0.4, state=TrialState.PRUNED), record(2, state=TrialState.FAILED))
    result = StudyResult("digits", StudyState.COMPLETED, trials, trials[0], None, 1.23456, {"uri": "sqlite"})
    read = json.loads(json.dumps(result.as_json()))
    assert set(read) >= {"study", "state", "trials", "best", "baseline", "seconds", "epochs_trained", "tracking"}
    assert (read["state"], read["epochs_trained"], read["baseline"]) == ("completed", 3, None)
    assert read["trials"] == {"complete": 1, "pruned": 1, "failed": 1}
    assert set(read["best"]) >= {
        *("number", "state", "cause", "params", "epochs", "metrics", "curve", "seed", "run_id"),
    }
    assert (read["best"]["epochs"], read["best"]["curve"]) == (2, [0.5, 0.6])


def seeds(first: int, *values: float, name: str, **more: Any) -> list[TrialRecord]:
    params = {"mixing.name": name}
    return [record(first + seed, 0.1, value, params=params, seed=seed, **more) for seed, value in enumerate(values)]


def test_seeds_of_one_configuration_count_by_their_mean():
    steady, lucky = seeds(0, 0.8, 0.82, 0.81, name="mixup"), seeds(3, 0.9, 0.7, 0.7, name="cutmix")
    assert best_of([*steady, *lucky], maximise=True) is steady[0]
    assert best_of([*steady, *lucky], maximise=False) is lucky[0]
    [first, second] = over_seeds([*lucky, *steady])
    assert (first.first, second.first) == (steady[0], lucky[0])
    assert first.mean == pytest.approx(0.81)
    assert first.spread == pytest.approx(0.01)


def test_the_same_seed_again_is_no_further_seed():
    assert [len(one.trials) for one in over_seeds([*seeds(0, 0.5, name="mixup"), *seeds(1, 0.6, name="mixup")])] == [
        1,
        1,
    ]


def test_a_result_says_over_how_many_seeds_its_best_is_best():
    trials = tuple(seeds(0, 0.8, 0.82, name="mixup"))
    found = StudyResult("one", StudyState.COMPLETED, trials, trials[0], None, 1.0).as_json()
    assert found["best"]["over_seeds"] == {
        "mean": pytest.approx(0.81),
        "spread": pytest.approx(0.0141, abs=1e-4),
        "seeds": [0, 1],
    }
    assert found["baseline"] is None


def test_averaged_curves_go_as_far_as_all_seeds():
    stopped = seeds(0, 0.4, 0.6, name="mixup", state=TrialState.PRUNED)
    one = record(2, 0.3, params={"mixing.name": "mixup"}, seed=2, state=TrialState.PRUNED)
    [mean] = averaged([*stopped, one])
    assert mean.curve == (pytest.approx((0.1 + 0.1 + 0.3) / 3),)
    [whole] = averaged([*stopped, one, *seeds(3, 0.9, name="mixup")])
    assert whole.curve == (0.1, 0.9)
