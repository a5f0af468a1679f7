"""What a study may spend: its hours and its epochs, those of earlier drivers included."""

from __future__ import annotations

import time

from tuner.search import causes
from tuner.spec.study import Limits


class Budget:
    """A study's limits, of which `spent_seconds` were used before this driver."""

    def __init__(self, limits: Limits, spent_seconds: float) -> None:
        self._limits = limits
        self._deadline = None if limits.hours is None else time.monotonic() + limits.hours * 3600 - spent_seconds

    def is_spent(self, epochs: int) -> bool:
        """Tell whether the time is over or so many epochs, of all trials together, are too many."""
        return self._is_over() or (self._limits.epochs is not None and epochs >= self._limits.epochs)

    def cause(self) -> str:
        """Say which limit ended a trial."""
        return causes.out_of_hours(self._limits.hours) if self._is_over() else causes.out_of_epochs(self._limits.epochs)

    def _is_over(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline
