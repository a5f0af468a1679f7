"""Two ways out: tables for people at a terminal, one JSON document for scripts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text


OUTPUT_VARIABLE = "TUNER_OUTPUT"
"""How a job prints: `people` has tables where standard output is no terminal, `marked` a document between marks."""

PEOPLE, MARKED = "people", "marked"

MARK = "#-- the tuner's JSON document --#"
"""A line before and after it, where other output stands beside it; JSON has no such line, nor has a user's own."""


def wants_json(flag: bool) -> bool:
    """Tell whether to print JSON: asked for, or standard output is no terminal."""
    return flag or not (sys.stdout.isatty() or os.environ.get(OUTPUT_VARIABLE) == PEOPLE)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output, of a list each item on its line; what JSON lacks becomes null."""
    plain = _plain(document)
    if isinstance(plain, list):  # of thousands of trials; indented they would take ten times as long
        text = "[" + ",".join(f"\n{json.dumps(item, ensure_ascii=False, allow_nan=False)}" for item in plain) + "\n]"
    else:
        text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
    if os.environ.get(OUTPUT_VARIABLE) == MARKED:
        text = f"{MARK}\n{text}\n{MARK}"
    sys.stdout.write(f"{text}\n")  # in one piece: of a job, what others write comes before or after
    sys.stdout.flush()


def print_tables(*renderables: RenderableType) -> None:
    """Print tables and text on standard output."""
    console = people()
    for renderable in renderables:
        is_whole = getattr(renderable, "no_wrap", None) is True
        console.print(renderable, soft_wrap=is_whole)


def whole(line: str) -> Text:
    """Return a line that is neither cut nor broken in a narrow terminal: its paths and addresses can be used."""
    from rich.text import Text

    return Text(line, no_wrap=True)


def people(stderr: bool = False) -> Console:
    """Return the console that people read."""
    from rich.console import Console  # a tenth of a second, not needed for JSON

    return Console(stderr=stderr, highlight=False)


@contextmanager
def others_on_stderr() -> Iterator[None]:
    """Send to standard error what anybody prints in the block: Ray tells of lost workers on standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
