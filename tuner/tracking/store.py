"""Writes records to MLflow; writing one again, or resuming a study in a new process, doubles nothing.

Imported by `connection.open_store` alone: MLflow reads some of its settings when it is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from tuner.results import StudyState, TrialState
from tuner.tracking.connection import TrackingFailure
from tuner.tracking.destination import Destination
from tuner.tracking.encoding import (
    PARAM_LENGTH,
    TAG_LENGTH,
    changes,
    finite_or_nan,
    name,
    not_finite,
    param_texts,
    portions,
    run_name,
    tag_texts,
)
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
    TrialStarted,
)
from tuner.tracking.registry import register
from tuner.tracking.runs import Runs

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

CHANGED_TAG = "tuner.changed"
"""Says what of a run is not recorded as it was given."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})

_FINAL_CODES = {"BAD_REQUEST", "INVALID_PARAMETER_VALUE", "NOT_IMPLEMENTED"}
"""Answers that stay the same however often one asks; a wrong password or address is mended in time."""


class Store:
    """One MLflow store, spoken to in the tuner's terms. Every method raises `TrackingFailure` and nothing else."""

    def __init__(self, destination: Destination, identity: str = "") -> None:
        self._destination = destination
        self._identity = identity
        self._steps: dict[tuple[str, str], set[int]] = {}
        with _failures_told(destination):
            if destination.database is not None:
                # MLflow itself would try for minutes to open a database in a folder that cannot be made.
                destination.database.parent.mkdir(parents=True, exist_ok=True)
            self._client = MlflowClient(tracking_uri=destination.uri)
            self._runs = Runs(self._client, destination, identity)

    def apply(self, operation: Operation, *more: Operation) -> RunIds:
        """Write a record, or several epochs of one trial in one request, and return where."""
        with _failures_told(self._destination):
            run_id = self._apply(operation, more)
            return RunIds(self._runs.experiment(operation.study), run_id)

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
            case TrialStarted():
                return self._start_trial(operation)
            case EpochEnded():
                return self._log_epochs([operation, *(one for one in more if isinstance(one, EpochEnded))])
            case TrialEnded():
                return self._end_trial(operation)
            case StudyEnded():
                return self._end_study(operation)
            case Progressed():
                return self._log_progress(operation)
            case OrphansEnded():
                return self._end_orphans(operation)
            case Described():
                run_id = self._runs.study(operation.study, operation.at_ms)
                self._log(run_id, tags={NOTE_TAG: operation.text})
                return run_id
            case FileMade():
                run_id = self._run(operation.study, operation.number, operation.at_ms, operation.kind)
                log_file(self._client, run_id, operation.name, operation.content)
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
        # MLflow never changes a parameter: a study resumed with another budget keeps the one it began with.
        known = self._client.get_run(run_id).data
        fresh = {key: value for key, value in event.params.items() if key not in known.params}
        # What was found out before the study was resumed tells more than what it began with.
        note = known.tags.get(NOTE_TAG) or event.description
        tags = {"state": "running", NOTE_TAG: note, **event.tags}
        self._log(run_id, params=fresh, tags=tags)
        if event.study_file:
            self._client.log_text(run_id, event.study_file, "study.yaml")
        return run_id

    def _start_trial(self, event: TrialStarted) -> str:
        title = event.name or run_name(event.number, event.params)
        run_id = self._runs.trial(
            event.study, event.number, event.at_ms, kind=event.kind, name=title, parent=event.parent
        )
        self._client.update_run(run_id, status="RUNNING", name=title)
        self._log(run_id, params=event.params, tags={"state": "running", **event.tags})
        return run_id

    def _log_epochs(self, events: Sequence[EpochEnded]) -> str:
        first = events[0]
        run_id = self._runs.trial(first.study, first.number, first.at_ms, kind=first.kind)
        known = self._known_steps(run_id, next(iter(first.metrics.as_dict())))
        fresh = {event.metrics.epoch: event for event in events if event.metrics.epoch not in known}
        metrics = [
            Metric(name(key), finite_or_nan(value), event.at_ms, epoch)
            for epoch, event in fresh.items()
            for key, value in event.metrics.as_dict().items()
        ]
        told = {epoch: not_finite(event.metrics.as_dict()) for epoch, event in fresh.items()}
        broken = [f"epoch {epoch}: {wrong}" for epoch, wrong in told.items() if wrong]
        self._log_metrics(run_id, metrics, {"not_finite": "; ".join(broken)} if broken else {})
        known |= set(fresh)
        return run_id

    def _log_progress(self, event: Progressed) -> str:
        run_id = self._runs.study(event.study, event.at_ms)
        known = self._known_steps(run_id, next(iter(event.metrics)))
        if event.step not in known:
            points = [Metric(name(key), value, event.at_ms, event.step) for key, value in event.metrics.items()]
            self._log_metrics(run_id, points)
            known.add(event.step)
        return run_id

    def _end_orphans(self, event: OrphansEnded) -> str:
        for run_id in self._runs.running(event.study, event.kind):
            self._log(run_id, tags={"state": "interrupted", "cause": "its driver ended without a word"})
            self._client.set_terminated(run_id, TRIAL_STATUS[TrialState.RUNNING], event.at_ms)
        return self._runs.study(event.study, event.at_ms)

    def _end_trial(self, event: TrialEnded) -> str:
        run_id = self._runs.trial(event.study, event.number, event.at_ms, kind=event.kind)
        state = "interrupted" if event.state is TrialState.RUNNING else event.state.value
        self._log(run_id, metrics=event.scores, at_ms=event.at_ms, tags={"state": state, "cause": event.cause})
        self._client.set_terminated(run_id, TRIAL_STATUS[event.state], event.at_ms)
        return run_id

    def _end_study(self, event: StudyEnded) -> str:
        run_id = self._runs.study(event.study, event.at_ms)
        words = {key: value for key, value in event.summary.items() if isinstance(value, str)}
        numbers = {key: value for key, value in event.summary.items() if not isinstance(value, str)}
        self._log(run_id, metrics=numbers, at_ms=event.at_ms, tags={**words, "state": event.state.value})
        self._client.set_terminated(run_id, STUDY_STATUS[event.state], event.at_ms)
        return run_id

    def _log(
        self,
        run_id: str,
        *,
        metrics: Mapping[str, float | int] = _NOTHING,
        params: Mapping[str, Any] = _NOTHING,
        tags: Mapping[str, Any] = _NOTHING,
        at_ms: int = 0,
    ) -> None:
        """Write values of the whole run within MLflow's limits, and what was changed for them as a tag."""
        changed = [*changes(params, PARAM_LENGTH), *changes(tags, TAG_LENGTH)]
        noted = {CHANGED_TAG: "; ".join(changed)} if changed else {}
        for some in portions(param_texts(params)):
            self._client.log_batch(run_id, params=[Param(key, value) for key, value in some.items()])
        # Told again at the next resume, a value of the whole run would stand there twice.
        known = self._client.get_run(run_id).data.metrics if metrics else {}
        points = [Metric(name(key), finite_or_nan(value), at_ms, 0) for key, value in metrics.items()]
        fresh = [point for point in points if known.get(point.key) != point.value]
        self._log_metrics(run_id, fresh, {**tags, **noted})

    def _log_metrics(self, run_id: str, metrics: Sequence[Metric], tags: Mapping[str, Any] = _NOTHING) -> None:
        """Write points and tags, in one request where these are few."""
        first, *others = list(portions(tag_texts(tags))) or [{}]
        self._client.log_batch(run_id, metrics=metrics, tags=[RunTag(key, value) for key, value in first.items()])
        for some in others:
            self._client.log_batch(run_id, tags=[RunTag(key, value) for key, value in some.items()])

    def _known_steps(self, run_id: str, metric: str) -> set[int]:
        """Return the steps that a run has; a request is written whole or not at all, so one metric tells for all."""
        if (run_id, metric) not in self._steps:
            points = [] if run_id in self._runs.created else self._client.get_metric_history(run_id, metric)
            self._steps[run_id, metric] = {point.step for point in points}
        return self._steps[run_id, metric]


@contextmanager
def _failures_told(destination: Destination) -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        raise TrackingFailure(destination, error.message, error.error_code in _FINAL_CODES) from error
    except (FileNotFoundError, ValueError) as error:
        raise TrackingFailure(destination, error, is_final=True) from error
    except Exception as error:
        # Databases, HTTP and every kind of artifact store bring errors of their own, and none may end the writer.
        raise TrackingFailure(destination, error, is_final=False) from error
