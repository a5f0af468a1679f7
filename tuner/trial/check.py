"""Check a configuration against the images it is for, before anything is trained."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from tuner.catalog import IMPORT, called
from tuner.errors import ConfigError, Path, Problem
from tuner.imported import in_words
from tuner.mixing import METHODS, guide
from tuner.mixing.policy import MethodPolicy
from tuner.models import MODELS, ImageShape, it_has, mixing_at, stages
from tuner.training.augment import AUGMENTATIONS


def check_model(config: Mapping[str, Any], image: ImageShape, classes: int) -> None:
    """Check that a resolved configuration's model and augmentations take these images, and its policy the features.

    Nothing is trained: a batch of two goes once through model and methods on torch's meta device, which takes no
    memory. Where the model's own code cannot run there (it looks at a weight's value, say), on the CPU.

    Raises:
        ConfigError: they do not.
    """
    with torch.random.fork_rng(devices=[]):
        _check_augmentations(config, image)
        try:
            _check_on(torch.device("meta"), config, image, classes)
        except ConfigError as error:
            if "meta" not in str(error).lower():
                raise
            _check_on(torch.device("cpu"), config, image, classes)


def memory_format(config: Mapping[str, Any]) -> torch.memory_format:
    """Return how images lie in memory: channels last is faster, but somebody's own network may rely on the usual."""
    return torch.contiguous_format if IMPORT in config["model"] else torch.channels_last


def _check_on(device: torch.device, config: Mapping[str, Any], image: ImageShape, classes: int) -> None:
    images = torch.zeros(2, *image, device=device).contiguous(memory_format=memory_format(config))
    labels = torch.zeros(2, dtype=torch.int64, device=device)
    name = called(config["model"])
    with _refused(("model",)), device, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights that a meta tensor does not take
        model = MODELS.build(config["model"], image, classes)
    with _refused(("model",), f"{name} does not take images of {'x'.join(map(str, image))}: "):
        _check_logits(model(images), name, classes)
        model.eval()  # what it returns may depend on that
        _check_logits(model(images), name, classes)
        model.train()
    for method in METHODS.build(config["mixing"]).methods():
        _check_depths(method, model, name)
        with _refused(("mixing",)):
            _mix_once(method, model, images, labels)


@contextmanager
def _refused(path: Path, context: str = "") -> Iterator[None]:
    try:
        yield
    except Exception as error:  # somebody's own network may raise anything
        message = str(error) if isinstance(error, ValueError) else in_words(error)
        raise ConfigError([Problem(path, f"{context}{message}")]) from error


def _check_logits(logits: Any, name: str, classes: int) -> None:
    if not isinstance(logits, Tensor):
        raise ValueError(f"it returns a {type(logits).__name__}; wanted the logits alone")
    if logits.shape != (2, classes):
        raise ValueError(f"it returns the shape {list(logits.shape)} for 2 images; wanted [2, {classes}], the logits")


def _check_depths(method: MethodPolicy, model: nn.Module, name: str) -> None:
    deepest = len(stages(model))
    if max(method.depths) <= deepest:
        return
    message = f"{name} has depths 0 to {deepest}, got {list(method.depths)}"
    if deepest == 0:
        advice = "for more, name submodules in the model's stages, as stages: [layer1, layer2]"
        message = f"{name} has depth 0 alone, got {list(method.depths)}; {advice}; {it_has(model)}"
    raise ConfigError([Problem(("mixing", "depths"), message)])


def _mix_once(method: MethodPolicy, model: nn.Module, images: Tensor, labels: Tensor) -> None:
    rng = torch.Generator()
    drawn = replace(method, probability=1.0, off_epochs=0).draw(len(images), rng)
    if drawn is None:
        return
    contrast = images.new_ones(images.shape[1], 1, 1)
    leading = None if method.saliency is None else guide(method.saliency, model, images, labels, contrast)
    for depth in method.depths:
        with mixing_at(model, depth, lambda features, rng: drawn.apply(features, rng, leading)[0], rng) as forward:
            forward(images)


def _check_augmentations(config: Mapping[str, Any], image: ImageShape) -> None:
    images = torch.zeros(2, *image, dtype=torch.uint8)
    for index, item in enumerate(config["training"]["augment"]):
        with _refused(("training", "augment", index)):
            AUGMENTATIONS.build(item)(images, torch.Generator())
