"""A small split with something to learn, and trainings on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuner import trial
from tuner.datasets import Examples, Split
from tuner.training import DeviceSplit, Training

CLASSES = 4
RECIPE: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 16,
    "optimizer": {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    "schedule": {"name": "cosine", "warmup_epochs": 0.5},
    "augment": ["flip", {"name": "padded_crop", "padding": 1}],
}
MODEL: dict[str, Any] = {"name": "small_cnn", "padding": "same", "channels": [4, 8], "hidden": 16, "dropout": 0.3}
MIXUP: dict[str, Any] = {"name": "mixup", "depths": [0, 1], "probability": 0.8}


def examples(count: int, seed: int = 0, side: int = 8) -> Examples:
    """Noise with a texture, which is the class: none, rows, columns, chequers."""
    noise = np.random.default_rng(seed).integers(0, 100, (count, 1, side, side), dtype=np.uint8)
    labels = np.arange(count) % CLASSES
    row, column = np.indices((side, side)) % 2
    textures = np.stack([np.zeros_like(row), row, column, row ^ column]).astype(np.uint8) * 120
    return Examples(noise + textures[labels][:, None], labels)


def split(training: int = 67, validation: int = 40) -> Split:
    names = tuple("abcd")
    return Split("textures", names, examples(training), examples(validation, seed=1), lambda: examples(8, seed=2))


def configured(mixing: Any = "none", model: Any = MODEL, **recipe: Any) -> dict[str, Any]:
    return trial.resolve({"dataset": "digits", "model": model, "mixing": mixing, "training": {**RECIPE, **recipe}})


def training(mixing: Any = "none", seed: int = 0, data: Split | None = None, **settings: Any) -> Training:
    return trial.build(configured(mixing, **settings), data or split(), seed)


def validation(data: Split | None = None) -> DeviceSplit:
    return trial.validation_split(data or split())
