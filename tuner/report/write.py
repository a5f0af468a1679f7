"""A study's report: one HTML file that a person reads from the top, and the same as Markdown with its figures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from tuner.errors import UsageError
from tuner.report import answer, beside, points, searched, using
from tuner.report.document import Block, Document, Figure, Picture, Section
from tuner.report.figures.style import WIDE
from tuner.report.findings import Findings
from tuner.report.markdown import File, markdown
from tuner.report.page import html

HTML, MARKDOWN = "report.html", "report.md"

_DOTS = 110
"""Of a figure beside the Markdown, an inch."""


@dataclass(frozen=True)
class Report:
    """A report's files by their names: the HTML page needs none of the others."""

    study: str
    headline: str
    files: dict[str, bytes]

    def write(self, folder: Path) -> None:
        """Write every file into a folder, which is made where there is none.

        Raises:
            UsageError: it cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in self.files.items():
                (folder / name).write_bytes(content)
        except OSError as error:
            raise UsageError(f"{folder} cannot be written: {error.strerror or error}") from error


def report(found: Findings) -> Report:
    """Return the report of a study from what was found."""
    document = drawn_once(of(found))
    drawn = dict(_pictures(document))
    files_beside = {identifier: File(f"{identifier}.png", words) for identifier, (_, words) in drawn.items()}
    files = {HTML: html(document).encode(), MARKDOWN: markdown(document, files_beside).encode()}
    return Report(
        found.result.study, document.headline, files | {files_beside[key].name: png for key, (png, _) in drawn.items()}
    )


def of(found: Findings) -> Document:
    """Return a report from what was found."""
    sections: list[Section | None] = [
        answer.verdict(found),
        points.points(found),
        answer.alpha(found),
        answer.fresh_seeds(found),
        beside.second_axes(found),
        using.use(found),
        using.sheet(found),
        searched.search(found),
        searched.what_matters(found),
        searched.cost(found),
        using.decided(found),
    ]
    return Document(
        title=f"Which mixing augmentation suits {found.result.study}?",
        headline=answer.headline(found),
        tone=answer.tone(found),
        summary=answer.summary(found),
        sections=[section for section in sections if section is not None],
        footer=f"Study {found.result.study}, {found.result.state}; written {_now()} by tuner report.",
    )


def drawn_once(document: Document) -> Document:
    """Return a document whose figures keep what they drew: the page and the Markdown show the same."""

    def once(block: Block) -> Block:
        return replace(block, draw=cache(block.draw)) if isinstance(block, Figure) else block

    sections = [replace(section, blocks=[once(block) for block in section.blocks]) for section in document.sections]
    return replace(document, sections=sections)


def _pictures(document: Document) -> Iterator[tuple[str, tuple[bytes, str]]]:
    """Yield every picture by its identifier: as PNG, and in words."""
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Picture):
                yield block.identifier, (block.png, block.alternative)
            elif isinstance(block, Figure):
                file, figure = io.BytesIO(), block.draw(WIDE)
                figure.savefig(file, format="png", dpi=_DOTS, facecolor="white")
                yield block.identifier, (file.getvalue(), str(figure.get_label()))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
