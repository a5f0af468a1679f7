"""A training that goes on from a checkpoint gives the numbers of one that was never interrupted, bit for bit."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
import torch

from tests.training.examples import MIXUP, RECIPE, training, validation
from tuner.results import EpochMetrics
from tuner.training import Training, checkpoint

SETTINGS: dict[str, dict[str, Any]] = {
    "dropout, augmentation, nesterov, cosine, hidden mixup": {"mixing": MIXUP},
    "cutmix, adam, steps, bf16": {
        "mixing": {"name": "cutmix", "probability": 0.5},
        "precision": "bf16",
        "optimizer": "adam",
        "schedule": {"name": "step", "at": [0.3, 0.6]},
    },
    "batch norm, adamw, hidden mixup of three": {
        "mixing": {"name": "mixup", "ratio": {"name": "dirichlet", "count": 3}, "depths": [0, 1, 2]},
        "model": {"name": "wide_resnet", "depth": 10, "width": 1},
        "optimizer": "adamw",
    },
    "no mixing": {"optimizer": {"name": "adam", "weight_decay": 0.01}},
}

every_setting = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


def numbers(metrics: EpochMetrics) -> dict[str, float]:
    timed = {"seconds", "examples_per_second"}
    return {name: value for name, value in asdict(metrics).items() if name not in timed}


def run(under_way: Training, epochs: int) -> list[dict[str, float]]:
    return [numbers(under_way.run_epoch(validation())) for _ in range(epochs)]


def assert_equal_states(first: Any, second: Any) -> None:
    torch.testing.assert_close(first, second, rtol=0, atol=0, equal_nan=True)


@every_setting
def test_two_epochs_a_checkpoint_and_two_more_are_four(settings, tmp_path):
    whole = training(**settings)
    expected = run(whole, 4)
    first = training(**settings)
    begun = run(first, 2)
    checkpoint.save(tmp_path / "trial.pt", first.state())
    second = training(**settings)
    second.restore(checkpoint.load(tmp_path / "trial.pt"))
    assert begun + run(second, 2) == expected
    assert_equal_states(second.state()["model"], whole.state()["model"])
    assert_equal_states(second.state()["optimizer"]["state"], whole.state()["optimizer"]["state"])


def test_a_training_of_another_seed_goes_on_from_the_checkpoint_all_the_same():
    first, second = training(MIXUP), training(MIXUP, seed=9)
    run(first, 1)
    second.restore(first.state())
    assert run(second, 2) == run(first, 2)


@every_setting
def test_state_is_a_copy_that_training_on_leaves_alone(settings):
    first = training(**settings)
    run(first, 1)
    state = first.state()
    expected = run(first, 2)
    second, third = training(**settings), training(**settings)
    for again in (second, third):
        again.restore(state)
        assert run(again, 2) == expected


@every_setting
def test_same_seed_same_numbers_and_another_seed_others(settings):
    assert run(training(**settings), 2) == run(training(**settings), 2) != run(training(seed=1, **settings), 2)


def test_learning_rate_goes_on_where_it_was():
    recipe = {**RECIPE, "schedule": {"name": "step", "at": [0.5], "factor": 0.1}}
    first = training(**recipe)
    rates = [metrics["learning_rate"] for metrics in run(first, 3)]
    second = training(**recipe)
    second.restore(first.state())
    rates += [metrics["learning_rate"] for metrics in run(second, 1)]
    assert rates == pytest.approx([0.05, 0.05, 0.005, 0.005])
