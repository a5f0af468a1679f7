"""A study file's values with the place where each was written, and mistakes that point there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from tuner.errors import Path, StudyFileError, dotted

UNREAD = "[unread]"
"""Stands in a tree for a value that was refused on reading: a secret, or a scalar that is no use."""

_LONGEST_MESSAGE = 400


class Place(NamedTuple):
    """Where something was written: file, line and column from 1, or the command line's argument (line 0)."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


class Node(NamedTuple):
    """A scalar, a list of nodes or a dictionary of nodes, and its place: that of its key, if it has one."""

    value: Any
    place: Place

    @property
    def plain(self) -> Any:
        """Return the value without places."""
        if isinstance(self.value, dict):
            return {key: child.plain for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain for child in self.value]
        return self.value

    def at(self, path: Path) -> Node:
        """Return the node at the longest part of `path` that exists."""
        node = self
        for step in path:
            inside = isinstance(node.value, dict) and step in node.value
            if not inside and not (isinstance(node.value, list) and step in range(len(node.value))):
                break
            node = node.value[step]
        return node


class Mistake(NamedTuple):
    """One line of a report on a study file."""

    place: Place
    path: Path
    message: str

    def __str__(self) -> str:
        message = self.message
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[: _LONGEST_MESSAGE // 2]} [...] {message[-_LONGEST_MESSAGE // 2 :]}"
        line = ": ".join(filter(None, (str(self.place), dotted(self.path), message)))
        return "".join(character if character.isprintable() else repr(character)[1:-1] for character in line)


def failure(mistakes: Iterable[Mistake]) -> StudyFileError:
    """Return the error that lists mistakes in the order of the files, arguments last, each once."""
    ordered = sorted(set(mistakes), key=lambda mistake: (mistake.place.line == 0, mistake.place, str(mistake)))
    return StudyFileError("\n".join(dict.fromkeys(map(str, ordered))))
