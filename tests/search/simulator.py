"""Studies in simulated time: the real search, its storage in memory, and curves that need no training.

`drive` is Ray Tune's event loop without Ray: so many workers, each an epoch of one trial at a time, every decision to
stop obeyed at once.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import optuna

from tuner.results import EpochMetrics, TrialRecord, best_of
from tuner.search import baselines, storage
from tuner.search.observer import Observer
from tuner.search.search import Assignment, Search
from tuner.spec import StudySpec

Curves = Callable[[Assignment], Sequence[float]]
"""The objective after each epoch of a whole training of one trial."""

Pace = Callable[[Assignment], float]
"""The simulated seconds of one epoch of a trial."""


class Driven(Protocol):
    """What the loop asks of a search: ours, or one that it is compared with."""

    def ask(self) -> Assignment | None:
        """Return the next trial, or None while there is none to start."""

    def report(self, number: int, metrics: EpochMetrics) -> bool:
        """Take an epoch and return whether the trial must stop now."""


@dataclass(frozen=True)
class Simulated:
    """A study that ended: its trials, the one it would recommend, and what it cost."""

    trials: tuple[TrialRecord, ...]
    winner: TrialRecord | None
    seconds: float

    @property
    def epochs(self) -> int:
        """Return the epochs of all trials."""
        return sum(trial.epochs for trial in self.trials)


def same_pace(assignment: Assignment) -> float:
    """Return a second: every trial trains equally fast."""
    return 1.0


def simulate(
    spec: StudySpec, curves: Curves, workers: int, pace: Pace = same_pace, observers: Sequence[Observer] = ()
) -> Simulated:
    """Run a whole study by its own search, from the baselines to the last trial."""
    optuna.logging.set_verbosity(logging.WARNING)
    maximise = spec.objective.mode == "max"
    study = optuna.create_study(direction="maximize" if maximise else "minimize")
    baselines.enqueue(study, baselines.queue(spec))
    seconds = drive(Search(spec, study, workers, observers), curves, workers, pace)
    trials = tuple(storage.records(study))
    return Simulated(trials, best_of(trials, maximise), seconds)


def drive(search: Driven, curves: Curves, workers: int, pace: Pace = same_pace) -> float:
    """Feed a search its trials' curves until nothing runs and nothing starts; return the simulated seconds.

    Events at the same time come in the order in which their trials were started.
    """
    now = 0.0
    running: dict[int, tuple[Sequence[float], float]] = {}
    events: list[tuple[float, int, int]] = []
    while True:
        while len(running) < workers and (assignment := search.ask()) is not None:
            running[assignment.number] = curves(assignment), pace(assignment)
            first = now + running[assignment.number][1]
            heapq.heappush(events, (first, assignment.number, assignment.epochs + 1))
        if not events:
            return now
        now, number, epoch = heapq.heappop(events)
        curve, seconds = running[number]
        if search.report(number, metrics(epoch, curve[epoch - 1], seconds)):
            del running[number]
        else:
            heapq.heappush(events, (now + seconds, number, epoch + 1))


def metrics(epoch: int, accuracy: float, seconds: float) -> EpochMetrics:
    """Return an epoch's metrics of which only the accuracy means something."""
    return EpochMetrics(epoch, 1.0, accuracy, 1.0 - accuracy, 0.1, 0.01, 1000.0, seconds)
