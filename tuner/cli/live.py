"""The live display of a study: what runs, what stopped, the best so far against no mixing, time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tuner.report import words
from tuner.results import EpochMetrics, TrialRecord, TrialState, best_of, seeds_of, unmixed_baseline

_REFRESH_PER_SECOND = 4


class Progress:
    """An observer that keeps the latest record of every trial, and draws them."""

    def __init__(self, metric: str, maximise: bool, trials: int, epochs: int) -> None:
        self.metric = metric
        self.maximise = maximise
        self.trials_wanted = trials
        self.epochs = epochs
        self.trials: dict[int, TrialRecord] = {}
        self.note = ""
        self._start = time.monotonic()
        self._epochs_before: int | None = None
        self.then: RenderableType | None = None

    def begin(self, trials: int, ended: Sequence[TrialRecord]) -> None:
        """Take what is known once Ray runs: the number of trials, and those that ended before a resume."""
        self.trials_wanted = trials
        self.trials |= {trial.number: trial for trial in ended}
        self._epochs_before = sum(trial.epochs for trial in ended)
        self._start = time.monotonic()

    def trial_started(self, trial: TrialRecord) -> None:
        """Show the trial as running."""
        self.trials[trial.number] = trial

    def epoch_reported(self, trial: TrialRecord, metrics: EpochMetrics) -> None:
        """Show the trial's new value."""
        self.trials[trial.number] = trial

    def trial_ended(self, trial: TrialRecord) -> None:
        """Count the trial as done, stopped or failed."""
        self.trials[trial.number] = trial

    def noted(self, words: str) -> None:
        """Show what the study waits for, as long as it does."""
        self.note = words

    def summary(self) -> list[str]:
        """Return the display's lines without the table of running trials."""
        if self._epochs_before is None:
            return [self.note or f"loading the data and starting Ray, {words.duration(time.monotonic() - self._start)}"]
        counts = {state: sum(trial.state is state for trial in self.trials.values()) for state in TrialState}
        waiting = sum(map(_is_waiting, self.trials.values()))
        paused = f"{waiting} waiting, " if waiting else ""
        trained = sum(trial.epochs for trial in self.trials.values())
        elapsed = time.monotonic() - self._start
        return [
            f"trials {len(self.trials)} of {self.trials_wanted}: {counts[TrialState.RUNNING] - waiting} running, "
            f"{paused}{counts[TrialState.PRUNED]} stopped, {counts[TrialState.COMPLETE]} done, "
            f"{counts[TrialState.FAILED]} failed",
            self._best(),
            f"{trained} epochs, {words.duration(elapsed)}{self._left(trained, elapsed, self._epochs_before)}",
            *([self.note] if self.note else []),
        ]

    def __rich__(self) -> RenderableType:
        """Draw the summary and a row for each running trial; once the search is over, what comes `then`."""
        if self.then is not None:
            return self.then
        table = Table("trial", "policy", "epoch", self.metric, box=None, padding=(0, 2))
        for trial in self.trials.values():
            if trial.state is TrialState.RUNNING and not _is_waiting(trial):
                value = words.metric(self.metric, trial.curve[-1]) if trial.curve else ""
                table.add_row(str(trial.number), words.policy(trial.params), f"{trial.epochs}/{self.epochs}", value)
        return Group(*(Text(line) for line in self.summary()), table)

    def _best(self) -> str:
        trials = list(self.trials.values())
        best, baseline = best_of(trials, self.maximise), unmixed_baseline(trials, self.maximise)
        if best is None:
            return f"best {self.metric}: none has run to the end yet"
        text = f"best {self.metric} {self._value(best)}: {words.trial(best)}"
        if baseline is None or baseline.state is not TrialState.COMPLETE:
            return text
        return f"{text}; without mixing {self._value(baseline)}"

    def _value(self, trial: TrialRecord) -> str:
        known = seeds_of(trial, list(self.trials.values()))
        return words.metric(self.metric, trial.curve[-1]) if known is None else words.over_seeds(self.metric, known)

    def _left(self, trained: int, elapsed: float, before: int) -> str:
        """Estimate the time left: trials to come take as many epochs as the ended ones did on average."""
        ended = [trial.epochs for trial in self.trials.values() if trial.state is not TrialState.RUNNING]
        if not ended or trained == before:
            return ""
        expected = sum(ended) / len(ended) * self.trials_wanted
        left = max(0.0, expected - trained) * elapsed / (trained - before)
        return f", about {words.duration(left)} left"


def _is_waiting(trial: TrialRecord) -> bool:
    """Tell whether an unfinished trial has no process: it pauses at a rung, or goes on when it can be alone."""
    return trial.state is TrialState.RUNNING and bool(trial.cause)


@contextmanager
def shown(progress: Progress) -> Iterator[None]:
    """Draw the progress on standard error while the block runs; where that is no terminal, print a line a trial."""
    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        with Live(progress, console=console, refresh_per_second=_REFRESH_PER_SECOND, transient=True):
            yield
    else:
        yield


class Lines:
    """An observer for logs: one line on standard error for each trial that ends."""

    def trial_started(self, trial: TrialRecord) -> None:
        """Say nothing: the end says it all."""

    def epoch_reported(self, trial: TrialRecord, metrics: EpochMetrics) -> None:
        """Say nothing: a log has no use for every epoch."""

    def trial_ended(self, trial: TrialRecord) -> None:
        """Say how the trial ended."""
        sys.stderr.write(f"{words.trial(trial)}: {trial.state}, {trial.cause}\n")

    def noted(self, words: str) -> None:
        """Say what the study waits for, once, and that it goes on."""
        sys.stderr.write(f"{words or 'going on'}\n")
