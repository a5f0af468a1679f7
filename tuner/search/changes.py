"""What changed in a study file since its study began; some changes would mix results that cannot be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tuner import spec
from tuner.errors import UsageError
from tuner.values import shown

_FREE = ("limits", "resources", "search.trials", "confirm.finalists", "confirm.seeds", "published")
"""How long a study goes on, with what it runs and what stands beside it; for no trial becomes another by it."""

_NOTHING = object()


def differences(was: str, now: str) -> list[str]:
    """Return how two merged study files differ, a line a path, without what is free to change."""
    before, after = _leaves(spec.plain(was)), _leaves(spec.plain(now))
    return [
        f"{path}: was {_shown(before.get(path, _NOTHING))}, is {_shown(after.get(path, _NOTHING))}"
        for path in dict.fromkeys((*before, *after))
        if before.get(path, _NOTHING) != after.get(path, _NOTHING) and not _is_free(path)
    ]


def refuse_changes(name: str, was: str | None, now: str) -> None:
    """Check that a study goes on as it began.

    Raises:
        UsageError: its file changed; the message lists the differences and says how to run it as another study.
    """
    changed = differences(was, now) if was is not None else []
    if changed:
        lines = "\n".join(f"  {line}" for line in changed)
        raise UsageError(
            f"the file of study {name} has changed since it began:\n{lines}\nits trials cannot be compared with new "
            "ones; undo the change, or run the changed file as a study of its own: tuner run FILE --fork"
        )


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Return every scalar by its path; an empty section or list counts as one."""
    parts: Iterator[tuple[str, Any]] | None = None
    if isinstance(value, Mapping):
        parts = ((f"{path}.{key}" if path else str(key), child) for key, child in value.items())
    elif isinstance(value, list):
        parts = ((f"{path}[{index}]", child) for index, child in enumerate(value))
    if parts is None or not value:
        return {path: value}
    return {inner: leaf for below, child in parts for inner, leaf in _leaves(child, below).items()}


def _is_free(path: str) -> bool:
    return path == "name" or any(path == free or path.startswith(f"{free}.") for free in _FREE)


def _shown(value: Any) -> str:
    return "not there" if value is _NOTHING else shown(value)
