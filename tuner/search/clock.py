"""The time that a study has taken, all its drivers together."""

from __future__ import annotations

import time

import optuna

from tuner.results import EpochMetrics, TrialRecord
from tuner.search import storage


class Clock:
    """An observer that stores the seconds that the study has taken, all its drivers together, as trials end."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._before = float(study.user_attrs.get("seconds", 0.0))
        self._start = time.monotonic()

    def seconds(self) -> float:
        """Return the seconds so far."""
        return self._before + time.monotonic() - self._start

    def trial_started(self, trial: TrialRecord) -> None:
        """Do nothing: an end comes soon enough."""

    def epoch_reported(self, trial: TrialRecord, metrics: EpochMetrics) -> None:
        """Do nothing: an end comes soon enough."""

    def trial_ended(self, trial: TrialRecord) -> None:
        """Store the time."""
        storage.set_state(self._study, seconds=self.seconds())

    def noted(self, words: str) -> None:
        """Do nothing: waiting is time, too."""
