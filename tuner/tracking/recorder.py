"""Records a study in MLflow from a thread of its own, so that nothing MLflow does or fails to do reaches a trial.

The study's side only puts records into a queue. The thread writes them in order; what fails is tried again
with growing pauses, while the rest waits. The queue is bounded: beyond it, and after the last attempt, records
are counted as unwritten and the study goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tuner.results import EpochMetrics, StudyState, TrialState
from tuner.tracking.connection import TrackingFailure, open_store
from tuner.tracking.destination import Destination
from tuner.tracking.operations import (
    DatasetInput,
    DatasetUsed,
    Described,
    EpochEnded,
    FileMade,
    Kind,
    ModelTrained,
    Operation,
    RegisteredModel,
    RunIds,
    StudyEnded,
    StudyStarted,
    TrialEnded,
    TrialStarted,
)

if TYPE_CHECKING:
    from tuner.tracking.store import Store

CAPACITY = 50_000
"""Records that may wait: about 40 MB, and more than 1,000 trials of 40 epochs."""

ATTEMPTS = 10
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
"""Pauses of 0.5, 1, 2 ... 30 seconds: an outage of two minutes loses nothing."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class TrackingReport:
    """How much of a study MLflow has, why it has not the rest, and where."""

    written: int
    unwritten: int
    error: str | None
    experiment_id: str | None = None
    run_id: str | None = None


class Tracking:
    """Takes what happens in a study and writes it to MLflow, in the background and in order.

    No method but `close` waits, and none raises. To be called from one thread. `identity` is the study's own: runs of
    an earlier study of the same name are not touched. `kind` is what its trials are.
    """

    def __init__(self, destination: Destination, identity: str = "", kind: Kind = "trial") -> None:
        self._destination = destination
        self._identity = identity
        self._kind = kind
        self._study = ""
        self._queue: SimpleQueue[Operation | None] = SimpleQueue()
        self._store: Store | None = None
        self._runs: dict[int | None, RunIds] = {}
        self._submitted = 0
        self._written = 0
        self._error: str | None = None
        self._closing = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="tuner-tracking", daemon=True)
        self._thread.start()

    def study_started(
        self,
        study: str,
        *,
        description: str = "",
        params: Mapping[str, Any] = _NOTHING,
        tags: Mapping[str, Any] = _NOTHING,
        study_file: str = "",
    ) -> None:
        """Open the study's run, or go on with it; `study_file` is the file's text. The first call of all."""
        self._study = study
        self._submit(StudyStarted(study, _now_ms(), description, dict(params), dict(tags), study_file))

    def continues(self, study: str) -> None:
        """Take a study whose run is there already, to add to it; the run's state stays what it is."""
        self._study = study

    def trial_started(
        self,
        number: int,
        params: Mapping[str, Any],
        tags: Mapping[str, Any] = _NOTHING,
        *,
        name: str = "",
        parent: int | None = None,
    ) -> None:
        """Open a trial's run, or go on with it; `params` is resolved and flat.

        It stands under the study's run, or under that of the search's trial `parent`.
        """
        when = _now_ms()
        self._submit(TrialStarted(self._study, number, when, dict(params), dict(tags), self._kind, name, parent))

    def epoch(self, number: int, metrics: EpochMetrics) -> None:
        """Record one epoch of a trial; an epoch that its run has already is not recorded again."""
        self._submit(EpochEnded(self._study, number, _now_ms(), metrics, self._kind))

    def trial_ended(self, number: int, state: TrialState, cause: str, scores: Mapping[str, float] = _NOTHING) -> None:
        """Close a trial's run, with the cause in plain words; `running` means that it was interrupted."""
        self._submit(TrialEnded(self._study, number, _now_ms(), state, cause, self._kind, dict(scores)))

    def artifact(self, name: str, content: bytes | Path, *, number: int | None = None) -> None:
        """Keep a file with the study's run, or with a trial's; one of the same name is replaced.

        Large files are given by their path: they are read when they are sent, and stay where they are.
        """
        self._submit(FileMade(self._study, _now_ms(), name, content, number, self._kind))

    def description(self, text: str) -> None:
        """Replace the description of the study's run, in Markdown: what its page says at a glance."""
        self._submit(Described(self._study, _now_ms(), text))

    def dataset(self, dataset: DatasetInput, number: int | None = None) -> None:
        """Say which data the study's run, or a trial's, has read; saying it again changes nothing."""
        self._submit(DatasetUsed(self._study, _now_ms(), dataset, number, self._kind))

    def model(self, model: RegisteredModel) -> None:
        """Register a trained network; the same policy of the same study is registered once."""
        self._submit(ModelTrained(self._study, _now_ms(), model))

    def study_ended(self, state: StudyState, summary: Mapping[str, float | int | str] = _NOTHING) -> None:
        """Close the study's run; numbers of the summary become metrics, words become tags."""
        self._submit(StudyEnded(self._study, _now_ms(), state, dict(summary)))

    @property
    def is_out_of_reach(self) -> bool:
        """Tell whether MLflow has refused or not answered so far, and taken nothing."""
        return self._written == 0 and self._error is not None

    def run_ids(self) -> dict[int, str]:
        """Return the runs written so far, by trial number."""
        return {number: run.run_id for number, run in list(self._runs.items()) if number is not None}

    def close(self, timeout_seconds: int | float) -> TrackingReport:
        """Wait until all is written, at most `timeout_seconds`, and say how it went."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join(timeout_seconds)
        late = self._thread.is_alive()
        self._abandoned.set()
        unwritten = self._submitted - self._written
        study = self._runs.get(None)
        return TrackingReport(
            written=self._written,
            unwritten=unwritten,
            error=(self._error or self._silence(late, timeout_seconds)) if unwritten else None,
            experiment_id=study.experiment_id if study else None,
            run_id=study.run_id if study else None,
        )

    def _submit(self, operation: Operation) -> None:
        self._submitted += 1
        if self._closing.is_set():
            self._error = "the study reported to MLflow after the tracking was closed"
        elif self._queue.qsize() >= CAPACITY:
            self._error = f"more than {CAPACITY} records waited for MLflow at {self._destination.shown}"
        else:
            self._queue.put(operation)

    def _write_all(self) -> None:
        while (operation := self._queue.get()) is not None and not self._abandoned.is_set():
            self._write(operation)

    def _write(self, operation: Operation) -> None:
        for attempt in range(ATTEMPTS):
            try:
                self._runs[getattr(operation, "number", None)] = self._apply(operation)
            except TrackingFailure as failure:
                self._error = str(failure)
                # Whether the write arrived is not known, so nothing that was remembered holds.
                self._store = None
                if failure.is_final or self._abandoned.is_set():
                    return
                self._pause(attempt)
            else:
                self._written += 1
                return

    def _apply(self, operation: Operation) -> RunIds:
        if self._store is None:
            self._store = open_store(self._destination, self._identity)
        return self._store.apply(operation)

    def _pause(self, attempt: int) -> None:
        if self._closing.is_set():
            self._abandoned.wait(FIRST_PAUSE_SECONDS)
        else:
            self._closing.wait(min(FIRST_PAUSE_SECONDS * 2**attempt, LONGEST_PAUSE_SECONDS))

    def _silence(self, late: bool, timeout_seconds: int | float) -> str:
        if late:
            return f"MLflow at {self._destination.shown} did not take everything within {timeout_seconds:g} seconds"
        return "the thread that writes to MLflow broke off; its traceback says why"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
