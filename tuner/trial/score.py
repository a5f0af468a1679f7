"""What a finished training is worth on the test split, which is opened for this alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch

from tuner.datasets import Examples
from tuner.training import DeviceSplit, Training
from tuner.training.metrics import class_accuracies, regression_scores, scores


def score_on_test(training: Training, test: Examples) -> dict[str, Any]:
    """Return a training's `accuracy`, `nll` and `ece` on the test split, and each class's accuracy and examples.

    Of a regression they are `rmse`, `mae` and `r2`.
    """
    split = DeviceSplit(test.images, test.labels, torch.device(training.training.device))
    logits = training.outputs(split)
    if training.targets is not None:
        return asdict(regression_scores(logits, split.labels))
    by_class, counts = class_accuracies(logits, split.labels)
    return {
        **asdict(scores(logits, split.labels)),
        "class_accuracy": by_class.tolist(),
        "class_examples": counts.tolist(),
    }
