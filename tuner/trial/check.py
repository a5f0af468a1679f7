"""Check a configuration against the data it is for, before anything is trained."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from tuner.catalog import IMPORT, called
from tuner.datasets import Feature, Split, column_numbers
from tuner.errors import ConfigError, Path, Problem
from tuner.imported import in_words
from tuner.mixing import METHODS, AnyGuide, ColumnGuide, LabelGuide, guide
from tuner.mixing.policy import MethodPolicy
from tuner.models import MODELS, ImageShape, it_has, mixing_at, stages
from tuner.training.augment import AUGMENTATIONS
from tuner.trial.fitting import misfits


def image_shape(split: Split) -> ImageShape:
    """Return the shape of a split's images; the rows of a table are images of one pixel."""
    return ImageShape(*split.training.images.shape[1:])


def outputs(classes: int) -> int:
    """Return how many numbers a model gives for an example: a logit a class, or a regression's prediction."""
    return classes or 1


def check_split(config: Mapping[str, Any], split: Split) -> None:
    """Check a resolved configuration against a split, as `check_model` does.

    Raises:
        ConfigError: they do not go together.
    """
    check_model(config, image_shape(split), len(split.classes), split.features)


def check_model(config: Mapping[str, Any], image: ImageShape, classes: int, features: Sequence[Feature] = ()) -> None:
    """Check that a resolved configuration's model and augmentations take these images, and its policy the features.

    `features` are those of a table, none of images; `classes` is 0 for a regression, whose loss has to be one of it.

    Nothing is trained: a batch of two goes once through model and methods on torch's meta device, which takes no
    memory. Where the model's own code cannot run there (it looks at a weight's value, say), on the CPU.

    Raises:
        ConfigError: they do not.
    """
    if problems := list(misfits(config, classes=classes, is_table=bool(features))):
        raise ConfigError(problems)
    with torch.random.fork_rng(devices=[]):
        _check_augmentations(config, image)
        try:
            _check_on(torch.device("meta"), config, image, classes, features)
        except ConfigError as error:
            if "meta" not in str(error).lower():
                raise
            _check_on(torch.device("cpu"), config, image, classes, features)


def columns_of(features: Sequence[Feature], device: torch.device) -> ColumnGuide | None:
    """Return which features of a table form a column; None of images."""
    numbers = column_numbers(features)
    return ColumnGuide(torch.tensor(numbers, device=device), max(numbers) + 1) if features else None


def memory_format(config: Mapping[str, Any]) -> torch.memory_format:
    """Return how images lie in memory: channels last is faster, but somebody's own network may rely on the usual."""
    return torch.contiguous_format if IMPORT in config["model"] else torch.channels_last


def _check_on(
    device: torch.device, config: Mapping[str, Any], image: ImageShape, classes: int, features: Sequence[Feature]
) -> None:
    images = torch.zeros(2, *image, device=device).contiguous(memory_format=memory_format(config))
    labels = torch.zeros(2, dtype=torch.int64 if classes else torch.float32, device=device)
    name = called(config["model"])
    columns = columns_of(features, device)
    with _refused(("model",)), device, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights that a meta tensor does not take
        model = MODELS.build(config["model"], image, outputs(classes))
    with _refused(("model",), f"{name} does not take images of {'x'.join(map(str, image))}: "):
        _check_logits(model(images), name, outputs(classes))
        model.eval()  # what it returns may depend on that
        _check_logits(model(images), name, outputs(classes))
        model.train()
    for method in METHODS.build(config["mixing"]).methods():
        _check_depths(method, model, name)
        with _refused(("mixing",)):
            _mix_once(method, model, images, labels, columns)


@contextmanager
def _refused(path: Path, context: str = "") -> Iterator[None]:
    try:
        yield
    except Exception as error:  # somebody's own network may raise anything
        message = str(error) if isinstance(error, ValueError) else in_words(error)
        raise ConfigError([Problem(path, f"{context}{message}")]) from error


def _check_logits(logits: Any, name: str, wanted: int) -> None:
    if not isinstance(logits, Tensor):
        raise ValueError(f"it returns a {type(logits).__name__}; wanted the logits alone")
    if logits.shape != (2, wanted):
        raise ValueError(f"it returns the shape {list(logits.shape)} for 2 images; wanted [2, {wanted}], the logits")


def _check_depths(method: MethodPolicy, model: nn.Module, name: str) -> None:
    deepest = len(stages(model))
    if max(method.depths) <= deepest:
        return
    message = f"{name} has depths 0 to {deepest}, got {list(method.depths)}"
    if deepest == 0:
        advice = "for more, name submodules in the model's stages, as stages: [layer1, layer2]"
        message = f"{name} has depth 0 alone, got {list(method.depths)}; {advice}; {it_has(model)}"
    raise ConfigError([Problem(("mixing", "depths"), message)])


def _mix_once(
    method: MethodPolicy, model: nn.Module, images: Tensor, labels: Tensor, columns: ColumnGuide | None
) -> None:
    rng = torch.Generator()
    drawn = replace(method, probability=1.0, off_epochs=0).draw(len(images), rng)
    if drawn is None:
        return
    leading = _leading(method, model, images, labels, columns)
    for depth in method.depths:
        with mixing_at(model, depth, lambda features, rng: drawn.apply(features, rng, leading)[0], rng) as forward:
            forward(images)


def _leading(
    method: MethodPolicy, model: nn.Module, images: Tensor, labels: Tensor, columns: ColumnGuide | None
) -> AnyGuide | None:
    if method.facts.guided_by == "columns":
        return columns
    if method.facts.guided_by == "labels":
        return LabelGuide(labels)
    contrast = images.new_ones(images.shape[1], 1, 1)
    return None if method.saliency is None else guide(method.saliency, model, images, labels, contrast)


def _check_augmentations(config: Mapping[str, Any], image: ImageShape) -> None:
    images = torch.zeros(2, *image, dtype=torch.uint8)
    for index, item in enumerate(config["training"]["augment"]):
        with _refused(("training", "augment", index)):
            AUGMENTATIONS.build(item)(images, torch.Generator())
