"""List every point of a space that has finitely many."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from math import prod

from tuner.errors import ConfigError, Path, Problem, dotted
from tuner.space.nodes import AnyOf, Choice, Constant, Items, Label, Node, Range, Section, walk

_MOST_POINTS = 100_000
Point = dict[str, Label]


def grid(template: Section) -> list[Point]:
    """Return every point as Optuna parameters, the first domain changing slowest.

    Raises:
        ConfigError: a real range without a step, or more points than any study could train.
    """
    problems = [
        Problem(path, f"grid cannot list every number from {domain.low} to {domain.high}; add step, or use any")
        for domain, path, _ in walk(template)
        if isinstance(domain, Range) and domain.step is None and not domain.integers
    ]
    if problems:
        raise ConfigError(problems)
    count = _count(template)
    if count > _MOST_POINTS:
        raise ConfigError([Problem((), f"the grid has {count} points; widen the steps, or use another sampler")])
    return list(_points(template, ()))


def count_points(template: Section) -> int | None:
    """Return how many points a space has, or None where a real range without a step makes them uncountable."""
    domains = [found.domain for found in walk(template)]
    if any(isinstance(one, Range) and one.step is None and not one.integers for one in domains):
        return None
    return _count(template)


def _count(node: Node) -> int:
    match node:
        case Constant():
            return 1
        case Section(entries):
            return prod(map(_count, entries.values()))
        case Items(nodes):
            return prod(map(_count, nodes))
        case Choice(branches):
            return sum(map(_count, branches.values()))
        case AnyOf(values):
            return len(values)
        case Range():
            return node.steps + 1


def _points(node: Node, name: Path) -> Iterator[Point]:
    match node:
        case Constant():
            yield {}
        case Section(entries):
            yield from _product([list(_points(child, (*name, key))) for key, child in entries.items()])
        case Items(nodes):
            yield from _product([list(_points(child, (*name, index))) for index, child in enumerate(nodes)])
        case Choice(branches):
            for branch, section in branches.items():
                for point in _points(section, (*name, branch)):
                    yield {dotted(name): branch, **point}
        case AnyOf():
            for label in node.labels:
                yield {dotted(name): label}
        case Range():
            for index in range(node.steps + 1):
                yield {dotted(name): node.at(index)}


def _product(parts: Sequence[Sequence[Point]]) -> Iterator[Point]:
    for combination in itertools.product(*parts):
        yield {name: value for point in combination for name, value in point.items()}
