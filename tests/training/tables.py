"""A small table with something to learn, as a regression and as classes, and trainings on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuner import trial
from tuner.datasets import Examples, Feature, Split
from tuner.training import Training

FEATURES = (Feature("size"), Feature("kind", "a"), Feature("kind", "b"), Feature("always"), Feature("weight"))
RECIPE: dict[str, Any] = {
    "epochs": 30,
    "batch_size": 32,
    "optimizer": {"name": "adam", "learning_rate": 0.01},
}
C_MIXUP: dict[str, Any] = {"name": "c_mixup", "bandwidth": 0.3, "depths": [0, 1], "probability": 0.8}
POLICIES: list[Any] = ["none", "mixup", {"name": "mixup", "depths": [0, 1, 2]}, C_MIXUP, "column_cutmix"]


def rows(count: int, seed: int, *, is_regression: bool) -> Examples:
    """Rows of a linear law: 1000 + 50 x size + 200 for kind a, less weight; or whether that is above its middle."""
    rng = np.random.default_rng(seed)
    size, weight, is_a = rng.normal(5, 2, count), rng.normal(300, 40, count), rng.random(count) < 0.5
    law = 1000 + 50 * size + 200 * is_a - weight
    features = np.stack([size, is_a, ~is_a, np.full(count, 0.1), weight], axis=1).astype(np.float32)
    labels = law.astype(np.float32) if is_regression else (law > 1050).astype(np.int64)
    return Examples(features[:, :, None, None], labels)


def table(training: int = 300, *, is_regression: bool = True) -> Split:
    def part(count: int, seed: int) -> Examples:
        return rows(count, seed, is_regression=is_regression)

    classes = () if is_regression else ("below", "above")
    return Split("law", classes, part(training, 0), part(120, 1), lambda: part(100, 2), features=FEATURES)


def configured(mixing: Any = "none", *, is_regression: bool = True, **recipe: Any) -> dict[str, Any]:
    loss = recipe.pop("loss", "mse" if is_regression else "cross_entropy")
    model = recipe.pop("model", {"name": "mlp", "hidden": [32, 32], "dropout": 0.05})
    training = {**RECIPE, **recipe}
    config = {"dataset": "diabetes", "model": model, "mixing": mixing, "loss": loss, "training": training}
    return trial.resolve(config)


def training(
    mixing: Any = "none", data: Split | None = None, *, seed: int = 0, device: str = "cpu", **more: Any
) -> Training:
    data = table(is_regression=more.get("is_regression", True)) if data is None else data
    return trial.build(configured(mixing, **more), data, seed, device)
