"""Records a study in MLflow from a thread of its own, so that nothing MLflow does or fails to do reaches a trial.

The study's side only puts records into a queue; `writer` sends them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tuner.results import EpochMetrics, StudyState, TrialRecord, TrialState
from tuner.tracking.destination import Destination
from tuner.tracking.masking import masked, masked_text
from tuner.tracking.operations import (
    DatasetInput,
    DatasetUsed,
    Described,
    EpochEnded,
    FileMade,
    Kind,
    ModelTrained,
    Operation,
    OrphansEnded,
    Progressed,
    RegisteredModel,
    RunIds,
    StudyEnded,
    StudyStarted,
    TrialEnded,
    TrialsListed,
    TrialStarted,
)
from tuner.tracking.writer import Writer

STUDY_FILE = "study.yaml"
"""The study file among the files of the study's run."""

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
    an earlier study of the same name are not touched. `kind` is what its trials are. What MLflow cannot take is kept in
    the folder `spool` (`spool_folder(NAME)`), from where a later process sends it first; without one, in memory.

    Passwords and the like are masked before a record goes anywhere (`masking`). `at_ms` is when something happened,
    where that was not just now: told again from the study's storage, it is recorded as of then.
    """

    def __init__(
        self, destination: Destination, identity: str = "", kind: Kind = "trial", spool: Path | None = None
    ) -> None:
        self._kind = kind
        self._study = ""
        self._runs: dict[int | None, RunIds] = {}
        self._writer = Writer(destination, identity, spool, self._keep_ids)

    def study_started(
        self,
        study: str,
        *,
        description: str = "",
        params: Mapping[str, Any] = _NOTHING,
        tags: Mapping[str, Any] = _NOTHING,
        study_file: str = "",
        view: str = "",
    ) -> None:
        """Open the study's run, or go on with it. The first call of all.

        `study_file` is the file's text, `view` how MLflow's page shows the study (`view.shared_view`).
        """
        self._study = study
        note = masked_text(description)
        self._writer.put(StudyStarted(study, _now_ms(), note, masked(params), masked(tags), view))
        if study_file:
            self.artifact(STUDY_FILE, masked_text(study_file).encode())

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
        at_ms: int | None = None,
    ) -> None:
        """Open a trial's run, or go on with it; `params` is resolved and flat.

        It stands under the study's run, or under that of the search's trial `parent`.
        """
        when = _now_ms() if at_ms is None else at_ms
        self._writer.put(
            TrialStarted(self._study, number, when, masked(params), masked(tags), self._kind, name, parent)
        )

    def epoch(self, number: int, metrics: EpochMetrics, at_ms: int | None = None) -> None:
        """Record one epoch of a trial; an epoch that its run has already is not recorded again."""
        self._writer.put(EpochEnded(self._study, number, _now_ms() if at_ms is None else at_ms, metrics, self._kind))

    def trial_ended(
        self,
        number: int,
        state: TrialState,
        cause: str,
        scores: Mapping[str, float] = _NOTHING,
        *,
        curve: Sequence[float] = (),
        at_ms: int | None = None,
    ) -> None:
        """Close a trial's run, with the cause in plain words; `running` means that it was interrupted.

        `curve`, the objective after each epoch, is kept as a tag too: that of many trials is then read at once.
        """
        when, why = _now_ms() if at_ms is None else at_ms, masked_text(cause)
        ended = TrialEnded(self._study, number, when, state, why, self._kind, dict(scores), tuple(curve))
        self._writer.put(ended)

    def progress(self, step: int, metrics: Mapping[str, float], at_ms: int | None = None) -> None:
        """Record how far the study has come, `step` trials into it; a step that its run has is not recorded again."""
        self._writer.put(Progressed(self._study, _now_ms() if at_ms is None else at_ms, step, dict(metrics)))

    def trials_listed(self, trials: Sequence[TrialRecord]) -> None:
        """Keep a list of all trials with the study's run: thousands are read from it at once (`elsewhere`)."""
        listed = tuple(masked(trial.as_json()) | {"cause": masked_text(trial.cause)} for trial in trials)
        self._writer.put(TrialsListed(self._study, _now_ms(), listed))

    def orphans_ended(self) -> None:
        """End the runs that a driver left running when it died: now, before a trial goes on, none of them runs."""
        self._writer.put(OrphansEnded(self._study, _now_ms(), self._kind))

    def artifact(self, name: str, content: bytes | Path, *, number: int | None = None) -> None:
        """Keep a file with the study's run, or with a trial's; one of the same name is replaced.

        Large files are given by their path: they are read when they are sent, and stay where they are.
        """
        self._writer.put(FileMade(self._study, _now_ms(), name, content, number, self._kind))

    def description(self, text: str) -> None:
        """Replace the description of the study's run, in Markdown: what its page says at a glance."""
        self._writer.put(Described(self._study, _now_ms(), masked_text(text)))

    def dataset(self, dataset: DatasetInput, number: int | None = None) -> None:
        """Say which data the study's run, or a trial's, has read; saying it again changes nothing."""
        self._writer.put(DatasetUsed(self._study, _now_ms(), dataset, number, self._kind))

    def model(self, model: RegisteredModel) -> None:
        """Register a trained network; the same policy of the same study is registered once."""
        own: dict[str, Any] = {name: masked(getattr(model, name)) for name in ("policy", "params", "tags")}
        self._writer.put(ModelTrained(self._study, _now_ms(), replace(model, **own)))

    def study_ended(self, state: StudyState, summary: Mapping[str, float | int | str] = _NOTHING) -> None:
        """Close the study's run; numbers of the summary become metrics, words become tags."""
        self._writer.put(StudyEnded(self._study, _now_ms(), state, masked(summary)))

    @property
    def is_out_of_reach(self) -> bool:
        """Tell whether MLflow did not take what it was last told."""
        return self._writer.is_failing

    def run_ids(self) -> dict[int, str]:
        """Return the runs written so far, by trial number."""
        return {number: run.run_id for number, run in list(self._runs.items()) if number is not None}

    def close(self, timeout_seconds: int | float) -> TrackingReport:
        """Wait until all is written, at most `timeout_seconds`, keep the rest on disk, and say how it went."""
        self._writer.close(timeout_seconds)
        unwritten = sum(self._writer.unsent())
        study = self._runs.get(None)
        return TrackingReport(
            written=self._writer.written,
            unwritten=unwritten,
            error=self._writer.error if unwritten else None,
            experiment_id=study.experiment_id if study else None,
            run_id=study.run_id if study else None,
        )

    def abandon(self, timeout_seconds: int | float) -> None:
        """Stop within `timeout_seconds`, and leave what is not written to whoever drives the study now."""
        self._writer.abandon(timeout_seconds)

    @property
    def waiting(self) -> int:
        """Return how many records wait, in memory and on disk."""
        return self._writer.unsent()[0]

    def _keep_ids(self, operation: Operation, where: RunIds) -> None:
        match operation:
            case StudyStarted() | StudyEnded() | Described():
                self._runs[None] = where
            case TrialStarted() | EpochEnded() | TrialEnded() if operation.kind == self._kind:
                self._runs[operation.number] = where


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
