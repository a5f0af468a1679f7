"""An epoch on the meta device, whose tensors have no values: the first time that the host asks for one, it raises."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim import SGD

from tuner import trial
from tuner.datasets import Split
from tuner.losses import LOSSES
from tuner.mixing import METHODS
from tuner.models import MODELS
from tuner.training import DeviceSplit, RandomStreams, Recipe, Training, unit_scaling
from tuner.training.schedule import constant

DEVICE = torch.device("meta")


def check_waits_after_the_last_step(config: dict[str, Any], data: Split, augment: Any = (), **more: Any) -> None:
    """Check that the host asks for no value before all five steps of an epoch of 80 examples are under way.

    `more` is what a training on tables has besides.
    """
    image, classes = trial.image_shape(data), len(data.classes)
    with DEVICE:
        model = MODELS.build(config["model"], image, classes or 1)
    recipe = Recipe(LOSSES.build(config["loss"]), constant(), epochs=1, batch_size=16, classes=classes, augment=augment)
    optimizer, steps = SGD(model.parameters(), 0.1, momentum=0.9, fused=False, foreach=True), []
    optimizer.register_step_post_hook(lambda *_: steps.append(1))
    under_way = Training(
        model,
        optimizer,
        recipe,
        METHODS.build(config["mixing"]),
        training=DeviceSplit(data.training.images, data.training.labels, DEVICE),
        scaling=unit_scaling(image.channels, DEVICE),
        streams=RandomStreams(0, DEVICE),
        **more,
    )
    with pytest.raises(RuntimeError, match="meta tensors"):
        under_way.run_epoch(trial.validation_split(data, DEVICE))
    assert len(steps) == 5
