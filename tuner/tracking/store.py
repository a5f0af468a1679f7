"""Writes records to MLflow; writing one again, or resuming a study in a new process, doubles nothing.

Imported by `connection.open_store` alone: MLflow reads some of its settings when it is imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from tuner.results import StudyState, TrialState
from tuner.tracking.connection import TrackingFailure
from tuner.tracking.destination import Destination
from tuner.tracking.elsewhere import CURVE_TAG, TRIALS_FILE
from tuner.tracking.embedded import make_whole
from tuner.tracking.encoding import curve_text, run_name
from tuner.tracking.files import log_file
from tuner.tracking.inputs import log_dataset
from tuner.tracking.operations import (
    DatasetUsed,
    Described,
    EpochEnded,
    FileMade,
    Kind,
    ModelTrained,
    Operation,
    OrphansEnded,
    Progressed,
    RunIds,
    StudyEnded,
    StudyStarted,
    TrialEnded,
    TrialsListed,
    TrialStarted,
)
from tuner.tracking.registry import register
from tuner.tracking.runs import Runs
from tuner.tracking.values import Values
from tuner.tracking.view import VIEW_TAG

TRIAL_STATUS: Mapping[TrialState, str] = {
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "KILLED",
    TrialState.FAILED: "FAILED",
    TrialState.RUNNING: "KILLED",
}
STUDY_STATUS: Mapping[StudyState, str] = {
    StudyState.COMPLETED: "FINISHED",
    StudyState.OUT_OF_BUDGET: "FINISHED",
    StudyState.FAILED: "FAILED",
    StudyState.INTERRUPTED: "KILLED",
    StudyState.RUNNING: "KILLED",
}
"""MLflow's status of a run that was left; RUNNING there means that nobody told how it ended."""

NOTE_TAG = "mlflow.note.content"
"""What MLflow shows as a run's description, as Markdown."""

_FINAL_CODES = {"INVALID_PARAMETER_VALUE", "NOT_IMPLEMENTED"}
"""Answers that stay the same however often one asks; a wrong password or address is mended in time.

BAD_REQUEST is not among them: MLflow says so, too, where its database is read-only or has no connection free.
"""

_BUSY_CODES = {"REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "TEMPORARILY_UNAVAILABLE"}
_PASSING_CODES = {"INTERNAL_ERROR", *_BUSY_CODES}
"""Answers, or none, of a server that is otherwise what it was: what is known of its runs still holds."""


class Store:
    """One MLflow store, spoken to in the tuner's terms. Every method raises `TrackingFailure` and nothing else."""

    def __init__(self, destination: Destination, identity: str = "") -> None:
        self._destination = destination
        self._identity = identity
        with _failures_told(destination):
            if destination.database is not None:
                make_whole(destination.database)
            self._client = MlflowClient(tracking_uri=destination.uri)
            self._runs = Runs(self._client, destination, identity)
            self._values = Values(self._client)

    def apply(self, operation: Operation, *more: Operation) -> RunIds:
        """Write a record, or several of one run (`batches`) together, and return where."""
        with _failures_told(self._destination):
            run_id = self._apply(operation, more)
            return RunIds(self._runs.experiment(operation.study), run_id)

    def forget(self, *operations: Operation) -> None:
        """Ask anew for the runs of records of which nobody knows whether they arrived."""
        for one in operations:
            number = one.model.trial if isinstance(one, ModelTrained) else getattr(one, "number", None)
            parent = getattr(one, "parent", None)
            for run_id in self._runs.forget(one.study, number, getattr(one, "kind", "trial"), parent):
                self._values.forget(run_id)

    def find(self, study: str) -> RunIds | None:
        """Return the run of a study; nothing where it has none."""
        with _failures_told(self._destination):
            return self._runs.find(study)

    def children(self, study: str) -> dict[int, str]:
        """Return the runs of a study's trials, by trial number."""
        with _failures_told(self._destination):
            return self._runs.children(study)

    def params(self, run_id: str) -> dict[str, str]:
        """Return a run's parameters as they were written."""
        with _failures_told(self._destination):
            return dict(self._client.get_run(run_id).data.params)

    def answer(self) -> None:
        """Ask for one experiment, to see whether the store can be reached and read."""
        with _failures_told(self._destination):
            self._client.search_experiments(max_results=1)

    def _apply(self, operation: Operation, more: Sequence[Operation]) -> str:
        match operation:
            case StudyStarted():
                return self._start_study(operation)
            case TrialStarted() | EpochEnded() | TrialEnded():
                later = [one for one in more if isinstance(one, TrialStarted | EpochEnded | TrialEnded)]
                return self._write_trial([operation, *later])
            case StudyEnded():
                return self._end_study(operation)
            case Progressed():
                return self._write_progress([operation, *(one for one in more if isinstance(one, Progressed))])
            case OrphansEnded():
                return self._end_orphans(operation)
            case Described():
                run_id = self._runs.study(operation.study, operation.at_ms)
                self._values.write(run_id, tags={NOTE_TAG: operation.text})
                return run_id
            case FileMade():
                run_id = self._run(operation.study, operation.number, operation.at_ms, operation.kind)
                log_file(self._client, run_id, operation.name, operation.content)
                return run_id
            case TrialsListed():
                run_id = self._runs.study(operation.study, operation.at_ms)
                known = self._runs.trials(operation.study)
                listed = [{**one, "run_id": known.get(one["number"])} for one in operation.trials]
                content = json.dumps({"at_ms": operation.at_ms, "trials": listed}).encode()
                log_file(self._client, run_id, TRIALS_FILE, content)
                return run_id
            case DatasetUsed():
                run_id = self._run(operation.study, operation.number, operation.at_ms, operation.kind)
                log_dataset(self._client, run_id, operation.dataset)
                return run_id
            case ModelTrained():
                run_id = self._run(operation.study, operation.model.trial, operation.at_ms, "trial")
                experiment = self._runs.experiment(operation.study)
                register(self._client, experiment, run_id, operation.model, self._identity or operation.study)
                return run_id

    def _run(self, study: str, number: int | None, at_ms: int, kind: Kind) -> str:
        return self._runs.study(study, at_ms) if number is None else self._runs.trial(study, number, at_ms, kind=kind)

    def _start_study(self, event: StudyStarted) -> str:
        run_id = self._runs.study(event.study, event.at_ms)
        self._client.update_run(run_id, status="RUNNING")
        if event.view:
            self._client.set_experiment_tag(self._runs.experiment(event.study), VIEW_TAG, event.view)
        # MLflow never changes a parameter: a study resumed with another budget keeps the one it began with.
        known = self._client.get_run(run_id).data
        fresh = {key: value for key, value in event.params.items() if key not in known.params}
        # What was found out before the study was resumed tells more than what it began with.
        note = known.tags.get(NOTE_TAG) or event.description
        tags = {"state": "running", NOTE_TAG: note, **event.tags}
        self._values.write(run_id, params=fresh, tags=tags)
        return run_id

    def _write_trial(self, events: Sequence[TrialStarted | EpochEnded | TrialEnded]) -> str:
        """Write what happened to one trial, one thing after the other, in as few requests as that takes."""
        first, last = events[0], events[-1]
        started = first if isinstance(first, TrialStarted) else None
        run_id, is_new = self._trial_run(first)
        epochs = [event for event in events if isinstance(event, EpochEnded)]
        points, tags = self._values.of_epochs(run_id, epochs, run_id in self._runs.created)
        if started is not None:
            tags = {"state": "running", **started.tags, **tags}
        if isinstance(last, TrialEnded):
            points += self._values.of_whole_run(run_id, last.scores, last.at_ms)
            state = "interrupted" if last.state is TrialState.RUNNING else last.state.value
            tags |= {"state": state, "cause": last.cause} | ({CURVE_TAG: curve_text(last.curve)} if last.curve else {})
        self._values.write(run_id, points=points, params=started.params if started else {}, tags=tags)
        self._values.written(run_id, points)
        if isinstance(last, TrialEnded):
            self._client.set_terminated(run_id, TRIAL_STATUS[last.state], last.at_ms)
        if started is not None and not is_new:
            status = None if isinstance(last, TrialEnded) else "RUNNING"
            self._client.update_run(run_id, status=status, name=_title(started))
        return run_id

    def _trial_run(self, event: TrialStarted | EpochEnded | TrialEnded) -> tuple[str, bool]:
        """Return a trial's run, and whether it was made just now."""
        before = len(self._runs.created)
        if isinstance(event, TrialStarted):
            title, parent = _title(event), event.parent
        else:
            title, parent = "", None
        run_id = self._runs.trial(event.study, event.number, event.at_ms, kind=event.kind, name=title, parent=parent)
        return run_id, len(self._runs.created) > before and run_id in self._runs.created

    def _write_progress(self, events: Sequence[Progressed]) -> str:
        run_id = self._runs.study(events[0].study, events[0].at_ms)
        points = self._values.of_progress(run_id, events, run_id in self._runs.created)
        self._values.write(run_id, points=points)
        self._values.written(run_id, points)
        return run_id

    def _end_orphans(self, event: OrphansEnded) -> str:
        for run_id in self._runs.running(event.study, event.kind):
            self._values.write(run_id, tags={"state": "interrupted", "cause": "its driver ended without a word"})
            self._client.set_terminated(run_id, TRIAL_STATUS[TrialState.RUNNING], event.at_ms)
        return self._runs.study(event.study, event.at_ms)

    def _end_study(self, event: StudyEnded) -> str:
        run_id = self._runs.study(event.study, event.at_ms)
        words = {key: value for key, value in event.summary.items() if isinstance(value, str)}
        numbers = {key: value for key, value in event.summary.items() if not isinstance(value, str)}
        points = self._values.of_whole_run(run_id, numbers, event.at_ms)
        self._values.write(run_id, points=points, tags={**words, "state": event.state.value})
        self._client.set_terminated(run_id, STUDY_STATUS[event.state], event.at_ms)
        return run_id


def _title(event: TrialStarted) -> str:
    return event.name or run_name(event.number, event.params)


@contextmanager
def _failures_told(destination: Destination) -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        code = error.error_code
        is_final, is_passing, is_busy = (code in one for one in (_FINAL_CODES, _PASSING_CODES, _BUSY_CODES))
        raise TrackingFailure(destination, error.message, is_final, is_passing, is_busy=is_busy) from error
    except (FileNotFoundError, ValueError) as error:
        raise TrackingFailure(destination, error, is_final=True) from error
    except Exception as error:
        # Databases, HTTP and every kind of artifact store bring errors of their own, and none may end the writer.
        raise TrackingFailure(destination, error, is_final=False) from error
