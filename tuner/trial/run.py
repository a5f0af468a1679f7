"""Build a configuration's training and run it to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from tuner.datasets import DATASETS, Split
from tuner.losses import LOSSES
from tuner.mixing import METHODS, Policy
from tuner.models import MODELS
from tuner.results import EpochMetrics
from tuner.training import (
    DeviceSplit,
    RandomStreams,
    Recipe,
    Training,
    standard_scaling,
    target_scaling,
    unit_scaling,
)
from tuner.training.augment import AUGMENTATIONS
from tuner.training.optimizer import OPTIMIZERS
from tuner.training.schedule import SCHEDULES
from tuner.trial.check import check_split, columns_of, image_shape, memory_format, outputs
from tuner.trial.config import resolve


def load_data(config: Mapping[str, Any], seed: int) -> Split:
    """Load the dataset of a resolved configuration and cut its validation split by `seed`."""
    split: Split = DATASETS.build(config["dataset"], seed)
    return split


def build(config: Mapping[str, Any], split: Split, seed: int, device: str | torch.device = "cpu") -> Training:
    """Build a resolved configuration's training: model, optimizer, policy and recipe on `device`.

    Raises:
        ConfigError: the model or the policy cannot take this data, or the model has too few stages.
    """
    device = torch.device(device)
    section = config["training"]
    image, classes = image_shape(split), len(split.classes)
    check_split(config, split)
    streams = RandomStreams(seed, device)
    with streams.own():
        model = MODELS.build(config["model"], image, outputs(classes)).to(device)
    layout = memory_format(config)
    if layout is torch.channels_last:
        model = model.to(memory_format=layout)
    recipe = Recipe(
        loss=LOSSES.build(config["loss"]),
        schedule=SCHEDULES.build(section["schedule"]),
        epochs=section["epochs"],
        batch_size=section["batch_size"],
        classes=classes,
        augment=tuple(AUGMENTATIONS.build(item) for item in section["augment"]),
        precision=section["precision"],
    )
    images = split.training.images
    scaling = standard_scaling(images, device) if section["normalize"] == "dataset" else unit_scaling(image[0], device)
    return Training(
        model,
        OPTIMIZERS.build(section["optimizer"], model.parameters()),
        recipe,
        METHODS.build(config["mixing"]),
        training=DeviceSplit(images, split.training.labels, device),
        scaling=scaling,
        streams=streams,
        memory_format=layout,
        targets=None if classes else target_scaling(split.training.labels, device),
        columns=columns_of(split.features, device),
    )


def validation_split(split: Split, device: str | torch.device = "cpu") -> DeviceSplit:
    """Return a split's validation part on `device`."""
    return DeviceSplit(split.validation.images, split.validation.labels, torch.device(device))


def run(
    config: Mapping[str, Any],
    report: Callable[[EpochMetrics], object],
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    split: Split | None = None,
) -> EpochMetrics:
    """Train a configuration to its last epoch, reporting each; return the last one's metrics."""
    config = resolve(config)
    split = load_data(config, seed) if split is None else split
    training = build(config, split, seed, device)
    validation = validation_split(split, device)
    while True:
        metrics = training.run_epoch(validation)
        report(metrics)
        if training.epochs_done >= training.recipe.epochs:
            return metrics


def expected_strength(config: Mapping[str, Any]) -> float:
    """Return the expected mixing strength of a resolved configuration's policy, between 0 and 1."""
    policy: Policy = METHODS.build(config["mixing"])
    return policy.expected_strength()
