"""The README's commands and examples, as its reader would copy them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def python_with(words: str) -> str:
    """Return the one Python example that has these words."""
    (found,) = (block for block in blocks("python") if words in block)
    return found


def commands() -> list[str]:
    """Return every shell command, without its comment."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line.split("  #")[0].strip() for line in lines if line.strip()]


def tuner_arguments() -> list[list[str]]:
    """Return the arguments of every `uv run tuner` command."""
    found = [command.split("uv run tuner ", 1)[1] for command in commands() if "uv run tuner " in command]
    return [arguments.split() for arguments in found]
