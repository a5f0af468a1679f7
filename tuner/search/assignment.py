"""What a search hands out, and where it takes it from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Assignment:
    """What a worker needs to train one trial: its resolved configuration, its seed, where its checkpoint lies.

    `epochs` of it are stored already. After the epochs `pausing_epochs` it may have to wait, so its state is kept then.
    """

    number: int
    config: Mapping[str, Any]
    seed: int
    checkpoint: Path
    epochs: int = 0
    pausing_epochs: tuple[int, ...] = ()


class Draws(Protocol):
    """Where a search's new trials come from."""

    @property
    def is_drawing(self) -> bool:
        """Tell whether a trial is drawn in the background just now."""

    @property
    def trials_wanted(self) -> int:
        """Return how many trials there are in all when everything is done."""

    def count(self, config: str) -> None:
        """Count a configuration (its JSON text) that was drawn before this driver began."""

    def is_over(self) -> bool:
        """Tell whether there is nothing more to draw."""

    def next(self, *, may_wait: bool) -> int | None:
        """Return a new trial's number; None while it is drawn in the background."""

    def abandon(self) -> int | None:
        """Return the number of a trial that was drawn and not started."""
