"""Every mixing method trains a network on real data of the kind that it mixes, and the network learns."""

from __future__ import annotations

from typing import Any

import pytest

from tuner import trial
from tuner.mixing import METHODS
from tuner.results import EpochMetrics

_OPTIONS = {"cutout": {"length": 4}}  # 16 would blank the whole image

_IMAGES: dict[str, Any] = {
    "dataset": "digits",
    "model": {"name": "small_cnn", "padding": "same", "dropout": 0.0},
    "training": {"epochs": 8, "batch_size": 64, "optimizer": {"name": "adam", "learning_rate": 4e-3}},
}
_ROWS: dict[str, Any] = {
    "dataset": "breast_cancer",
    "model": "mlp",
    "training": {"epochs": 8, "batch_size": 32, "optimizer": {"name": "adam", "learning_rate": 1e-3}},
}


def learnt(name: str, data: dict[str, Any]) -> list[EpochMetrics]:
    epochs: list[EpochMetrics] = []
    config = trial.resolve({**data, "mixing": {"name": name, **_OPTIONS.get(name, {})}})
    trial.run(config, report=epochs.append, seed=1)
    return epochs


def methods(**facts: str) -> list[str]:
    """Return the methods that mix such data."""
    return [
        name
        for name, entry in METHODS.items()
        if all(getattr(entry.facts, fact) in ("any", value) for fact, value in facts.items())
    ]


def test_every_method_is_for_some_data():
    of_images = methods(inputs="image", labels="classes")
    assert {*of_images, *methods(inputs="table", labels="classes"), *methods(inputs="table", labels="numbers")} == {
        *METHODS
    }


@pytest.mark.parametrize("name", methods(inputs="image", labels="classes"))
def test_every_method_of_images_learns_digits(name):
    first, *_, last = learnt(name, _IMAGES)
    assert last.val_accuracy > 0.7  # of ten classes
    assert last.val_accuracy > first.val_accuracy
    assert 0 < last.train_loss < 2.31  # below that of a guess, ln 10


@pytest.mark.parametrize("name", [name for name in methods(inputs="table", labels="classes") if name != "switch"])
def test_every_method_of_tables_learns_breast_cancer(name):
    first, *_, last = learnt(name, _ROWS)
    assert last.val_accuracy > 0.9
    assert last.val_nll < first.val_nll


@pytest.mark.parametrize("name", [name for name in methods(inputs="table", labels="numbers") if name != "switch"])
def test_every_method_of_tables_learns_diabetes(name):
    first, *_, last = learnt(name, {**_ROWS, "dataset": "diabetes"})
    assert last.val_r2 > 0.3  # a linear model has 0.5
    assert last.val_rmse < first.val_rmse
