"""What a report is made of, before it is HTML or Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure as Drawn

from tuner.report.figures.style import Size


@dataclass(frozen=True)
class Paragraph:
    """One paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences; `are_warnings` are shown as such."""

    items: tuple[str, ...]
    are_warnings: bool = False


@dataclass(frozen=True)
class Table:
    """A table of text; columns in `numeric` are aligned to the right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing, made for each size it is shown in; its label is read to who cannot see it."""

    identifier: str
    draw: Callable[[Size], Drawn]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG picture."""

    identifier: str
    png: bytes
    alternative: str
    caption: str = ""


@dataclass(frozen=True)
class Code:
    """Text to be copied, in a language such as `python`; it is folded away where it is `long`."""

    text: str
    language: str
    title: str = ""
    long: bool = False


Block = Paragraph | Bullets | Table | Figure | Picture | Code


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    identifier: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A whole report: its headline is the answer in one sentence, its tone says how it is coloured."""

    title: str
    headline: str
    tone: str
    summary: str
    sections: Sequence[Section]
    footer: str
