"""Read YAML text into values with places: nothing is executed, nothing expands without bound, no key is lost.

Scalars follow YAML 1.2's core schema, so `on`, `no` and `1:30` stay text and `1e-3` is a number. ruamel.yaml does the
parsing; the tree is built from its events because its own composer recurses (a deeply nested file ends in a
RecursionError), leaves duplicate keys to a later step that stops at the first, and forgets which tags were written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from tuner.errors import Path, StudyFileError
from tuner.spec.tree import UNREAD, Mistake, Node, Place, failure

_MOST_VALUES = 20_000
_DEEPEST = 40
_LARGEST_WHOLE = 2**63 - 1
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def compose(text: str, source: str) -> tuple[Node, list[Mistake]]:
    """Return the values of YAML text, and the mistakes that leave a tree: duplicate keys, tags, unusable scalars.

    Raises:
        StudyFileError: text that is no YAML, or has several documents, unknown aliases or no end of values.
    """
    composer = _Composer(source)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            composer.take(event)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ", ".join(filter(None, (error.context, error.problem))) + _tab_hint(text, mark)
        raise failure([*composer.mistakes, Mistake(composer.place(mark), (), f"not YAML: {message}")]) from None
    except ReaderError as error:
        before = text[: error.position]
        place = Place(source, before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise failure([Mistake(place, (), f"not YAML: {error.reason}, read {text[error.position]!r}")]) from None
    except (YAMLError, ValueError, OverflowError, AssertionError) as error:  # ruamel's, on odd escapes and directives
        raise failure([Mistake(composer.last, (), f"not YAML: {error}")]) from None
    return composer.root or Node(None, Place(source, 1, 1)), composer.mistakes


@dataclass
class _Frame:
    """A list or mapping that is being read."""

    node: Node
    anchor: str | None
    first: int
    deepest: int
    key: tuple[str, Place] | None = None


class _Composer:
    def __init__(self, source: str) -> None:
        self.source = source
        self.root: Node | None = None
        self.mistakes: list[Mistake] = []
        self.last = Place(source, 1, 1)
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._values = 0

    def place(self, mark: Any) -> Place:
        return self.last if mark is None else Place(self.source, mark.line + 1, mark.column + 1)

    def take(self, event: Any) -> None:
        self.last = self.place(event.start_mark)
        if isinstance(event, DocumentStartEvent) and self.root is not None:
            raise self._fatal("a study file holds one document; remove what follows ---")
        if isinstance(event, CollectionEndEvent):
            self._close()
        elif isinstance(event, NodeEvent):
            self._node(event)

    def _node(self, event: Any) -> None:
        self._refuse_tag(event)
        if self._awaits_key():
            self._read_key(event)
        elif isinstance(event, AliasEvent):
            self._alias(event.anchor)
        elif isinstance(event, ScalarEvent):
            self._count(1, 0)
            node = Node(self._scalar(event), self.last)
            if event.anchor:
                self._anchors[event.anchor] = (node, 1, 0)
            self._add(node)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            value: Any = {} if isinstance(event, MappingStartEvent) else []
            self._frames.append(_Frame(Node(value, self.last), event.anchor, self._values, len(self._frames) + 1))
            self._count(1, 0)

    def _awaits_key(self) -> bool:
        return bool(self._frames) and isinstance(self._frames[-1].node.value, dict) and self._frames[-1].key is None

    def _read_key(self, event: Any) -> None:
        if not isinstance(event, ScalarEvent):
            raise self._fatal("a key must be plain text")
        if event.anchor:
            self._anchors[event.anchor] = (Node(event.value, self.last), 1, 0)
        self._frames[-1].key = (event.value, self.last)

    def _alias(self, anchor: str) -> None:
        if anchor not in self._anchors:
            raise self._fatal(f"*{anchor} refers to nothing above it, or to what it stands in")
        node, values, depth = self._anchors[anchor]
        self._count(values, depth)
        self._add(node)

    def _count(self, values: int, depth: int) -> None:
        self._values += values
        deepest = len(self._frames) + depth
        if self._frames:
            self._frames[-1].deepest = max(self._frames[-1].deepest, deepest)
        if self._values > _MOST_VALUES:
            raise self._fatal(f"more than {_MOST_VALUES} values, aliases expanded; a study file has some hundred")
        if deepest > _DEEPEST:
            raise self._fatal(f"nested more than {_DEEPEST} levels deep")

    def _close(self) -> None:
        frame = self._frames.pop()
        if frame.anchor:
            depth = frame.deepest - len(self._frames)
            self._anchors[frame.anchor] = (frame.node, self._values - frame.first, depth)
        if self._frames:
            self._frames[-1].deepest = max(self._frames[-1].deepest, frame.deepest)
        self._add(frame.node)

    def _add(self, node: Node) -> None:
        if not self._frames:
            self.root = node
            return
        frame = self._frames[-1]
        if frame.key is None:
            frame.node.value.append(node)
            return
        key, place = frame.key
        if key in frame.node.value:
            first = frame.node.value[key].place.line
            message = f"duplicate key {key!r}, first on line {first}; remove one"
            self.mistakes.append(Mistake(place, self._path(), message))
        else:
            frame.node.value[key] = node._replace(place=place)
        frame.key = None

    def _path(self) -> Path:
        """Return the path of the value that comes next, or of what the next key will stand in."""
        steps: list[str | int] = []
        for frame in self._frames:
            if isinstance(frame.node.value, list):
                steps.append(len(frame.node.value))
            elif frame.key is not None:
                steps.append(frame.key[0])
        return tuple(steps)

    def _refuse_tag(self, event: Any) -> None:
        tag = getattr(event, "ctag", None)
        if tag is not None:
            message = f"the tag {str(tag)!r} is not read; a study file holds plain values only"
            self.mistakes.append(Mistake(self.last, self._path(), message))

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        value = _resolved(text) if event.ctag is None and event.implicit[0] else text
        if type(value) is int and abs(value) > _LARGEST_WHOLE:
            self.mistakes.append(Mistake(self.last, self._path(), f"a whole number of {len(text)} digits is too large"))
            return UNREAD
        if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
            self.mistakes.append(Mistake(self.last, self._path(), f"{value!r} is not Unicode text"))
            return UNREAD
        return value

    def _fatal(self, message: str) -> StudyFileError:
        return failure([*self.mistakes, Mistake(self.last, (), message)])


def _resolved(text: str) -> Any:
    """Return a plain scalar's value. Source: YAML 1.2.2, section 10.3.2 (core schema)."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        digits = text.lstrip("+-0ox") or "0"
        return _LARGEST_WHOLE + 1 if len(digits) > 20 else int(text, _base(text))
    if _REAL.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def _base(text: str) -> int:
    return {"0o": 8, "0x": 16}.get(text[:2], 10)


def _tab_hint(text: str, mark: Any) -> str:
    lines = text.splitlines()
    if mark is None or mark.line >= len(lines):
        return ""
    line = lines[mark.line]
    return "; indent with spaces, not tabs" if "\t" in line[: len(line) - len(line.lstrip())] else ""
