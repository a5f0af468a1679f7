"""A confirmation while it runs: for each finalist, how many of its fresh seeds are trained."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tuner.report import words
from tuner.results import EpochMetrics, TrialRecord, TrialState, flatten
from tuner.search.confirm import ConfirmationBegun
from tuner.selection.finalists import Candidate, key_of


class RaceProgress:
    """An observer that counts each candidate's trainings, and draws them."""

    def __init__(self, begun: ConfirmationBegun, epochs: int) -> None:
        self._begun = begun
        self._epochs = epochs
        self._trainings: dict[int, TrialRecord] = {}
        self._start = time.monotonic()
        self._note = ""

    def trial_started(self, trial: TrialRecord) -> None:
        """Show the training as running."""
        self._trainings[trial.number] = trial

    def epoch_reported(self, trial: TrialRecord, metrics: EpochMetrics) -> None:
        """Show how far it is."""
        self._trainings[trial.number] = trial

    def trial_ended(self, trial: TrialRecord) -> None:
        """Count it."""
        self._trainings[trial.number] = trial

    def noted(self, words: str) -> None:
        """Show what the study waits for."""
        self._note = words

    def __rich__(self) -> RenderableType:
        """Draw a row for each candidate."""
        over = sum(one.state is not TrialState.RUNNING for one in self._trainings.values()) + self._begun.done
        elapsed = words.duration(time.monotonic() - self._start)
        head = f"fresh seeds: {over} of at most {self._begun.trainings} trainings, {elapsed}"
        table = Table("policy", "why", "trained now", "running", box=None, padding=(0, 2))
        for candidate in self._begun.candidates:
            own = [one for one in self._trainings.values() if key_of(one.config) == candidate.key]
            running = [one for one in own if one.state is TrialState.RUNNING]
            epochs = ", ".join(f"seed {one.seed} {one.epochs}/{self._epochs}" for one in running)
            table.add_row(policy(candidate), candidate.origin, str(len(own) - len(running)), epochs)
        return Group(Text(head), *([Text(self._note)] if self._note else []), table)


class RaceLines:
    """An observer for logs: one line on standard error for each training that ends."""

    def __init__(self, begun: ConfirmationBegun, write: Callable[[str], object] = sys.stderr.write) -> None:
        self._candidates = {one.key: one for one in begun.candidates}
        self._write = write

    def trial_started(self, trial: TrialRecord) -> None:
        """Say nothing: the end says it all."""

    def epoch_reported(self, trial: TrialRecord, metrics: EpochMetrics) -> None:
        """Say nothing: a log has no use for every epoch."""

    def trial_ended(self, trial: TrialRecord) -> None:
        """Say which training ended how."""
        candidate = self._candidates.get(key_of(trial.config))
        who = policy(candidate) if candidate else f"training {trial.number}"
        self._write(f"{who}, seed {trial.seed}: {trial.state}, {trial.cause}\n")

    def noted(self, words: str) -> None:
        """Say what the study waits for."""
        if words:
            self._write(f"{words}\n")


def policy(candidate: Candidate) -> str:
    """Write a candidate's policy in a few words."""
    return words.policy(flatten(candidate.config))
