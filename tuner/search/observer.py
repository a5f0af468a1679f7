"""What wants to hear of a search as it goes: the record that people read, the live display."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from tuner.results import EpochMetrics, TrialRecord


@runtime_checkable
class Observer(Protocol):
    """Told of every event, from the driver's event loop: it must return at once and never raise."""

    def trial_started(self, trial: TrialRecord) -> None:
        """A trial begins, or goes on after an interruption."""
        ...

    def epoch_reported(self, trial: TrialRecord, metrics: EpochMetrics) -> None:
        """An epoch was recorded; the trial's curve holds it already."""
        ...

    def trial_ended(self, trial: TrialRecord) -> None:
        """A trial ended, or was interrupted (its state is then still `running`)."""
        ...

    def noted(self, words: str) -> None:
        """The study waits for something, or (no words) goes on."""
        ...
