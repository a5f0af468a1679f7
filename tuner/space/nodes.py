"""What a template is made of: constants, sections and lists, and the three domains."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from tuner.errors import Path, dotted

Label = bool | int | float | str | None
"""What Optuna's storages can hold as one value of a categorical parameter."""


@dataclass(frozen=True)
class Constant:
    """A scalar that every trial has in common."""

    value: Any


@dataclass(frozen=True)
class Section:
    """Keys and what stands under each."""

    entries: Mapping[str, Node]


@dataclass(frozen=True)
class Items:
    """A list, item by item."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole numbers when both ends are."""

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    @property
    def integers(self) -> bool:
        """Tell whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def top(self) -> int | float:
        """Return the largest value that is drawn: `high`, or the last step below it."""
        return self.high if self.step is None else self.at(self.steps)

    @property
    def steps(self) -> int:
        """Return how many steps lie between `low` and `top`; 1 a step where whole numbers have none given."""
        step = 1 if self.step is None else self.step
        return int((_exact(self.high) - _exact(self.low)) // _exact(step))

    def at(self, index: int) -> int | float:
        """Return the value `index` steps above `low`, free of rounding errors."""
        step = 1 if self.step is None else self.step
        value = _exact(self.low) + index * _exact(step)
        return int(value) if self.integers else float(value)


@dataclass(frozen=True)
class AnyOf:
    """One of a few values, of any type."""

    values: tuple[Any, ...]

    @property
    def labels(self) -> tuple[Label, ...]:
        """Return what Optuna is given for each value: itself, or JSON text where it could not hold or tell them."""
        plain = all(isinstance(value, Label) for value in self.values)
        if plain and len(set(self.values)) == len(self.values):
            return self.values
        return tuple(json.dumps(value, sort_keys=True) for value in self.values)


@dataclass(frozen=True)
class Choice:
    """One of several sections by name; a trial has the leaves of the drawn one alone."""

    branches: Mapping[str, Section]


Domain = Range | AnyOf | Choice
Node = Constant | Section | Items | Domain


class Found(NamedTuple):
    """A domain, its path in the study file, and its path as an Optuna parameter (branch names, no `choice`)."""

    domain: Domain
    path: Path
    name: Path


def walk(node: Node, path: Path = (), name: Path = ()) -> Iterator[Found]:
    """Yield every domain of a template, outer ones first."""
    match node:
        case Section(entries):
            for key, child in entries.items():
                yield from walk(child, (*path, key), (*name, key))
        case Items(nodes):
            for index, child in enumerate(nodes):
                yield from walk(child, (*path, index), (*name, index))
        case Choice(branches):
            yield Found(node, path, name)
            for branch, section in branches.items():
                yield from walk(section, (*path, "choice", branch), (*name, branch))
        case Range() | AnyOf():
            yield Found(node, path, name)
        case Constant():
            return


def domains(template: Node) -> dict[str, Domain]:
    """Return every domain by its Optuna parameter's name, for example `mixing.mixup.ratio.beta.alpha`."""
    return {dotted(name): domain for domain, _, name in walk(template)}


def leaves(template: Node) -> list[str]:
    """Return what is searched as a drawn configuration names it, for example `mixing.ratio.alpha`, each once."""
    return list(dict.fromkeys(dotted(_drawn_as(found)) for found in walk(template)))


def is_searchable(template: Node) -> bool:
    """Tell whether the template has any domain."""
    return next(walk(template), None) is not None


def _drawn_as(found: Found) -> Path:
    """Return a domain's path in a configuration that was drawn: no choices and branches, and a choice as its name."""
    path, kept = list(found.path), []
    while path:
        step = path.pop(0)
        if step == "choice":
            path.pop(0)
        else:
            kept.append(step)
    return (*kept, "name") if isinstance(found.domain, Choice) else tuple(kept)


def _exact(number: int | float) -> Decimal:
    return Decimal(str(number))
