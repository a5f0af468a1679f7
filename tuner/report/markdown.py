"""A report as Markdown, with its figures as files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tuner.report.document import Block, Bullets, Code, Document, Figure, Paragraph, Picture, Table

_FENCE = "```"


@dataclass(frozen=True)
class File:
    """A picture beside the Markdown: its name, and what it shows in words."""

    name: str
    alternative: str


def markdown(document: Document, pictures: Mapping[str, File]) -> str:
    """Return a document as Markdown (GitHub's); `pictures` are the files of its figures and pictures, by identifier."""
    parts = [f"# {_plain(document.title)}", f"**{_plain(document.headline)}**", _plain(document.summary)]
    for section in document.sections:
        parts.append(f"## {section.title}")
        for block in section.blocks:
            parts.extend(_block(block, pictures))
    return "\n\n".join([*parts, _plain(document.footer)]) + "\n"


def _block(block: Block, pictures: Mapping[str, File]) -> Iterator[str]:
    match block:
        case Paragraph():
            yield _plain(block.text)
        case Bullets():
            mark = "**Note:** " if block.are_warnings else ""
            yield "\n".join(f"- {mark}{_plain(item)}" for item in block.items)
        case Table():
            yield _table(block)
            if block.note:
                yield _plain(block.note)
        case Figure() | Picture():
            file = pictures[block.identifier]
            yield f"![{_plain(file.alternative)}]({file.name})"
            if block.caption:
                yield _plain(block.caption)
        case Code():
            if block.title:
                yield f"{_plain(block.title)}:"
            fence = _FENCE + "`" * max(0, _longest_run(block.text) - 2)
            yield f"{fence}{block.language}\n{block.text.rstrip()}\n{fence}"


def _table(table: Table) -> str:
    rules = ["---:" if index in table.numeric else "---" for index in range(len(table.header))]
    header, *rows = ([_plain(cell) for cell in row] for row in (table.header, *table.rows))
    return "\n".join(map(_row, (header, rules, *rows)))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text).replace("\n", " ")


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
