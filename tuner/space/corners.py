"""Build the corners of a space: plain configurations that show every branch, value and end of a range.

A space is checked by checking its corners, and a complaint about a corner's value is led back to the line of the
study file that wrote it.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from tuner.errors import Path
from tuner.space.nodes import AnyOf, Choice, Constant, Items, Node, Range, Section


@dataclass(frozen=True)
class Corner:
    """A plain configuration, and for its drawn values the path in the study file they come from."""

    config: Mapping[str, Any]
    origin: Mapping[Path, Path]

    def origin_of(self, path: Path) -> Path:
        """Return the study file's path for a path of `config`, by the longest prefix that was drawn."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origin:
                return self.origin[path[:length]] + path[length:]
        return path


def corners(template: Section, limit: int = 2000) -> list[Corner]:
    """Return configurations that contain every branch, every value of `any` and both ends of every range.

    All combinations of them while there are at most `limit`; otherwise each at least once, side by side.
    """
    combine = itertools.product if _combinations(template) <= limit else _side_by_side
    return [Corner(part.value, part.origin) for part in _parts(template, (), (), combine)]


class _Part(NamedTuple):
    value: Any
    origin: dict[Path, Path]


_Combine = Callable[..., Iterator[tuple[_Part, ...]]]


def _combinations(node: Node) -> int:
    match node:
        case Constant():
            return 1
        case Section(entries):
            return prod(map(_combinations, entries.values()))
        case Items(nodes):
            return prod(map(_combinations, nodes))
        case Choice(branches):
            return sum(map(_combinations, branches.values()))
        case AnyOf(values):
            return len(values)
        case Range():
            return 2


def _side_by_side(*columns: Sequence[_Part]) -> Iterator[tuple[_Part, ...]]:
    for row in range(max(map(len, columns), default=1)):
        yield tuple(column[row % len(column)] for column in columns)


def _parts(node: Node, path: Path, origin: Path, combine: _Combine) -> list[_Part]:
    match node:
        case Constant(value):
            return [_Part(value, {})]
        case Section(entries):
            columns = [_parts(child, (*path, key), (*origin, key), combine) for key, child in entries.items()]
            return [_Part(_keyed(entries, row), _merged(row)) for row in combine(*columns)]
        case Items(nodes):
            columns = [_parts(child, (*path, i), (*origin, i), combine) for i, child in enumerate(nodes)]
            return [_Part([part.value for part in row], _merged(row)) for row in combine(*columns)]
        case Choice(branches):
            return [
                part
                for branch, section in branches.items()
                for part in _branch(branch, section, path, (*origin, "choice", branch), combine)
            ]
        case AnyOf(values):
            return [_Part(copy.deepcopy(value), {path: (*origin, "any", i)}) for i, value in enumerate(values)]
        case Range(low, high):
            return [_Part(low, {path: (*origin, "low")}), _Part(high, {path: (*origin, "high")})]


def _branch(branch: str, section: Section, path: Path, origin: Path, combine: _Combine) -> list[_Part]:
    own = {path: origin, (*path, "name"): origin}
    return [_Part({"name": branch, **part.value}, own | part.origin) for part in _parts(section, path, origin, combine)]


def _keyed(keys: Mapping[str, Node], row: Sequence[_Part]) -> dict[str, Any]:
    return {key: part.value for key, part in zip(keys, row, strict=True)}


def _merged(row: Sequence[_Part]) -> dict[Path, Path]:
    return {path: origin for part in row for path, origin in part.origin.items()}
