"""What was found of one thing, and what to do where it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

GIB = 2**30


@dataclass(frozen=True)
class Check:
    """What was found of one thing; `ok` is none where it is neither needed nor wrong."""

    name: str
    ok: bool | None
    found: str
    advice: str = ""


def carried_out(checks: Mapping[str, Callable[[], Check]]) -> list[Check]:
    """Return what every check found; one that raises has found that its thing does not work."""
    return [_told(name, check) for name, check in checks.items()]


def enough(name: str, gib: float, least: float, found: str, advice: str) -> Check:
    """Return what was found of a size in GiB that should be at least `least`."""
    return Check(name, True, found) if gib >= least else Check(name, False, found, f"at least {least:g} GiB: {advice}")


def _told(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:  # on a machine where anything may be broken
        return Check(name, False, "does not work", str(error) or type(error).__name__)
