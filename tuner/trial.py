"""One trial: a plain configuration becomes dataset, model, policy and recipe, and then epochs of training.

Nothing here knows Ray, Optuna or MLflow:

    from tuner import trial
    config = trial.resolve({"dataset": "digits", "model": {"name": "small_cnn", "padding": "same"},
                            "mixing": {"name": "mixup", "ratio": {"name": "beta", "alpha": 0.2}}})
    last = trial.run(config, report=print, seed=0)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from tuner.catalog import IMPORT, Entry, Nested, Table, called, entry, resolve_section
from tuner.catalog import resolve as resolve_entry
from tuner.datasets import DATASETS, Split
from tuner.errors import ConfigError, Path, Problem
from tuner.imported import in_words
from tuner.losses import LOSSES
from tuner.mixing import METHODS, Policy, guide
from tuner.mixing.policy import MethodPolicy
from tuner.models import MODELS, ImageShape, it_has, mixing_at, stages
from tuner.results import EpochMetrics
from tuner.training import DeviceSplit, RandomStreams, Recipe, Training, standard_scaling, unit_scaling
from tuner.training.augment import AUGMENTATIONS
from tuner.training.optimizer import OPTIMIZERS
from tuner.training.schedule import SCHEDULES


def _training(
    *,
    epochs: Annotated[int, Ge(1), Le(100_000)] = 30,
    batch_size: Annotated[int, Ge(1)] = 128,
    optimizer: Any,
    schedule: Any,
    augment: Any,
    precision: Literal["fp32", "bf16"] = "fp32",
    normalize: Literal["dataset", "unit"] = "dataset",
) -> None:
    """How every trial is trained."""


TRAINING: Entry = entry(
    _training,
    nested={
        "optimizer": Nested(OPTIMIZERS, {"name": "adam"}),
        "schedule": Nested(SCHEDULES, {"name": "cosine"}),
        "augment": Nested(AUGMENTATIONS, (), many=True),
    },
)

SECTIONS: Mapping[str, Table] = {"dataset": DATASETS, "model": MODELS, "loss": LOSSES, "mixing": METHODS}
_DEFAULTS: Mapping[str, Any] = {"loss": {"name": "cross_entropy"}, "mixing": {"name": "none"}, "training": {}}
_KEYS = ("dataset", "model", "training", "loss", "mixing")


def resolve(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's configuration complete: every default filled, every number in its type.

    Also builds the parts that need no data (policy, loss, optimizer's and schedule's own checks), so that what they
    refuse is found here.

    Raises:
        ConfigError: with every mistake, each with its path in the configuration.
    """
    problems = [
        Problem((key,), f"unknown section {key!r}; allowed: {', '.join(_KEYS)}") for key in config if key not in _KEYS
    ]
    resolved: dict[str, Any] = {}
    for key in _KEYS:
        if key not in config and key not in _DEFAULTS:
            problems.append(Problem((), f"the trial needs {key}; known: {', '.join(SECTIONS[key])}"))
            continue
        try:
            resolved[key] = _resolve_part(key, config.get(key, _DEFAULTS.get(key)))
        except ConfigError as error:
            problems.extend(error.problems)
    problems += _never_mixes(resolved)
    if problems:
        raise ConfigError(problems)
    return resolved


def load_data(config: Mapping[str, Any], seed: int) -> Split:
    """Load the dataset of a resolved configuration and cut its validation split by `seed`."""
    split: Split = DATASETS.build(config["dataset"], seed)
    return split


def image_shape(split: Split) -> ImageShape:
    """Return the shape of a split's images."""
    return ImageShape(*split.training.images.shape[1:])


def check_model(config: Mapping[str, Any], image: ImageShape, classes: int) -> None:
    """Check that a resolved configuration's model takes these images, and its policy the model's features.

    Nothing is trained: a batch of two goes once through model and methods on torch's meta device, which takes no
    memory. Where the model's own code cannot run there (it looks at a weight's value, say), on the CPU.

    Raises:
        ConfigError: they do not.
    """
    with torch.random.fork_rng(devices=[]):
        try:
            _check_on(torch.device("meta"), config, image, classes)
        except ConfigError as error:
            if "meta" not in str(error).lower():
                raise
            _check_on(torch.device("cpu"), config, image, classes)


def _memory_format(config: Mapping[str, Any]) -> torch.memory_format:
    """Return how images lie in memory: channels last is faster, but somebody's own network may rely on the usual."""
    return torch.contiguous_format if IMPORT in config["model"] else torch.channels_last


def _check_on(device: torch.device, config: Mapping[str, Any], image: ImageShape, classes: int) -> None:
    images = torch.zeros(2, *image, device=device).contiguous(memory_format=_memory_format(config))
    labels = torch.zeros(2, dtype=torch.int64, device=device)
    name = called(config["model"])
    with _refused(("model",)), device, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights that a meta tensor does not take
        model = MODELS.build(config["model"], image, classes)
    with _refused(("model",), f"{name} does not take images of {'x'.join(map(str, image))}: "):
        _check_logits(model(images), name, classes)
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


def build(config: Mapping[str, Any], split: Split, seed: int, device: str | torch.device = "cpu") -> Training:
    """Build a resolved configuration's training: model, optimizer, policy and recipe on `device`.

    Raises:
        ConfigError: the model cannot take these images, or has fewer stages than the policy's depths.
    """
    device = torch.device(device)
    section = config["training"]
    image, classes = image_shape(split), len(split.classes)
    check_model(config, image, classes)
    streams = RandomStreams(seed, device)
    with streams.own():
        model = MODELS.build(config["model"], image, classes).to(device)
    memory_format = _memory_format(config)
    if memory_format is torch.channels_last:
        model = model.to(memory_format=memory_format)
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
        memory_format=memory_format,
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


def expected_strength(config: Mapping[str, Any]) -> float:
    """Return the expected mixing strength of a resolved configuration's policy, between 0 and 1."""
    policy: Policy = METHODS.build(config["mixing"])
    return policy.expected_strength()


def _never_mixes(config: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the time for which mixing is turned off."""
    off, epochs = (config.get(key, {}).get(name, 0) for key, name in (("mixing", "off_epochs"), ("training", "epochs")))
    if off < max(epochs, 1):
        return []
    message = f"off_epochs {off} leaves none of the {epochs} epochs to mix in; set it below {epochs}, or use none"
    return [Problem(("mixing", "off_epochs"), message)]


def _resolve_part(key: str, value: Any) -> dict[str, Any]:
    if key == "training":
        resolved = resolve_section(TRAINING, value, (key,))
        problems = _refusals(SCHEDULES, resolved["schedule"], (key, "schedule"))
        weights = [torch.nn.Parameter(torch.zeros(1))]
        problems += _refusals(OPTIMIZERS, resolved["optimizer"], (key, "optimizer"), weights)
        for index, item in enumerate(resolved["augment"]):
            problems += _refusals(AUGMENTATIONS, item, (key, "augment", index))
    else:
        resolved = resolve_entry(SECTIONS[key], value, (key,))
        problems = _refusals(SECTIONS[key], resolved, (key,)) if key in {"loss", "mixing"} else []
    if problems:
        raise ConfigError(problems)
    return resolved


def _refusals(table: Table, config: Mapping[str, Any], path: Path, *context: Any) -> list[Problem]:
    """Return what a resolved entry's function refuses to build; what a nested one refuses stands at its own path."""
    problems: list[Problem] = []
    for parameter in table.entry_of(config).parameters:
        if parameter.nested is None:
            continue
        value = config[parameter.name]
        items = enumerate(value) if parameter.nested.many else [(None, value)]
        for index, item in items:
            place = (parameter.name,) if index is None else (parameter.name, index)
            problems += _refusals(parameter.nested.table, item, (*path, *place))
    if problems:
        return problems
    try:
        table.build(config, *context)
    except ValueError as error:
        return [Problem(path, str(error))]
    return []
