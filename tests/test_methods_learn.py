"""Every mixing method trains a network on real data, and the network learns."""

from __future__ import annotations

import pytest

from tuner import trial
from tuner.mixing import METHODS

_OPTIONS = {"cutout": {"length": 4}}  # 16 would blank the whole image


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_digits(name):
    config = trial.resolve(
        {
            "dataset": "digits",
            "model": {"name": "small_cnn", "padding": "same", "dropout": 0.0},
            "training": {"epochs": 8, "batch_size": 64, "optimizer": {"name": "adam", "learning_rate": 4e-3}},
            "mixing": {"name": name, **_OPTIONS.get(name, {})},
        }
    )
    accuracies: list[float] = []
    last = trial.run(config, report=lambda metrics: accuracies.append(metrics.val_accuracy), seed=1)
    assert last.val_accuracy > 0.7  # of ten classes
    assert last.val_accuracy > accuracies[0]
    assert 0 < last.train_loss < 2.31  # below that of a guess, ln 10
