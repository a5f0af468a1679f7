"""A trial's configuration: its sections, their defaults, and what is refused before any data is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Le

from tuner.catalog import Entry, Nested, Table, entry, resolve_section
from tuner.catalog import resolve as resolve_entry
from tuner.datasets import DATASETS, is_regression
from tuner.errors import ConfigError, Path, Problem
from tuner.losses import LOSSES
from tuner.mixing import METHODS
from tuner.models import MODELS
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
_DEFAULTS: Mapping[str, Any] = {"mixing": {"name": "none"}, "training": {}}
_NEEDED = ("dataset", "model")
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
        if key not in config and key in _NEEDED:
            problems.append(Problem((), f"the trial needs {key}; known: {', '.join(SECTIONS[key])}"))
            continue
        try:
            default = _default_loss(resolved) if key == "loss" else _DEFAULTS.get(key)
            resolved[key] = _resolve_part(key, config.get(key, default))
        except ConfigError as error:
            problems.extend(error.problems)
    problems += _never_mixes(resolved)
    if problems:
        raise ConfigError(problems)
    return resolved


def _default_loss(resolved: Mapping[str, Any]) -> dict[str, str]:
    """Return the loss of a file that names none: squared errors where the data set says that it is a regression."""
    is_of_numbers = "dataset" in resolved and is_regression(resolved["dataset"])
    return {"name": "mse" if is_of_numbers else "cross_entropy"}


def _never_mixes(config: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the time for which mixing is turned off."""
    if "mixing" not in config or "training" not in config:
        return []
    epochs = config["training"]["epochs"]
    advice = f"leaves none of the {epochs} epochs to mix in; set it below {epochs}, or use none"
    return [
        Problem((*path, "off_epochs"), f"off_epochs {block['off_epochs']} {advice}")
        for path, block in _blocks(config["mixing"], ("mixing",))
        if block.get("off_epochs", 0) >= epochs
    ]


def _blocks(mixing: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield a mixing block and, of a switch, those within it."""
    yield path, mixing
    for index, block in enumerate(mixing.get("policies", ())):
        yield from _blocks(block, (*path, "policies", index))


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
