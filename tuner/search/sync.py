"""Tell MLflow what it lacks of a study: first what waits on disk, then all again from the study's own storage."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna

from tuner.results import StudyState
from tuner.search import recommendation, storage, stored
from tuner.search.clock import Clock
from tuner.search.confirmation_record import ConfirmationRecord
from tuner.search.lease import only_driver
from tuner.search.recording import Recording
from tuner.spec import StudySpec
from tuner.tracking import DatasetInput, Tracking, TrackingReport, destination, spool_folder

PATIENCE_SECONDS = 60.0
"""How long MLflow may take nothing before we give up; longer than its slowest answer that we wait for."""

REFUSED_SECONDS = 5.0
"""The same where it says no, or cannot be reached at all."""

_GLANCE_SECONDS = 0.2
_FLUSH_SECONDS = 5.0


@dataclass(frozen=True)
class Sent:
    """What a study's record in MLflow has now: `unsent` records are not there, for the reason `error`."""

    study: str
    sent: int
    unsent: int
    error: str | None
    tracking: dict[str, str | None]

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return dict(vars(self))


def send(spec: StudySpec, waiting: Callable[[int], None] = lambda _: None) -> Sent:
    """Send what MLflow lacks of a study and its confirmation; `waiting` is told how many records are left.

    What is there already is not written twice, so this also fills an MLflow that never saw the study.

    Raises:
        UsageError: there is no such study, or another driver runs it.
    """
    study = storage.load(spec.name)
    with only_driver(spec.name):
        storage.mend(spec.name)
        if "id" not in study.user_attrs:
            storage.set_state(study, id=uuid.uuid4().hex)
        report = _search(spec, study, waiting)
        confirming = storage.confirmation_if_begun(study)
        lacking = [] if confirming is None or report.unwritten else _confirmation(spec, study, confirming)
    where = destination().found_at(report.experiment_id, report.run_id)
    return Sent(
        spec.name, report.written, report.unwritten + len(lacking), report.error or " ".join(lacking) or None, where
    )


def _search(spec: StudySpec, study: optuna.Study, waiting: Callable[[int], None]) -> TrackingReport:
    """Tell the search again and close its run as the study stands."""
    tracking = Tracking(destination(), str(study.user_attrs["id"]), spool=spool_folder(spec.name))
    record = Recording(tracking, spec, storage.records(study), study.user_attrs.get("environment", {}))
    if (data := study.user_attrs.get("dataset")) is not None:
        record.data_read(DatasetInput(**data))
    record.repeat(study)
    _await(tracking, waiting)
    state = _over(StudyState(study.user_attrs.get("state", StudyState.INTERRUPTED)))
    seconds = float(study.user_attrs.get("seconds", Clock(study).seconds()))
    report = record.close(stored.result(study, state, seconds), _FLUSH_SECONDS)
    runs = {**study.user_attrs.get("runs", {}), **{str(number): run for number, run in record.run_ids().items()}}
    storage.set_state(study, runs=runs, recorded=not report.unwritten)
    if report.run_id is not None:
        storage.set_state(study, tracking=destination().found_at(report.experiment_id, report.run_id))
    return report


def _confirmation(spec: StudySpec, study: optuna.Study, confirming: optuna.Study) -> list[str]:
    storage.set_state(confirming, recorded=False)
    record = ConfirmationRecord(spec, study, confirming, recommendation.candidates_of(spec, study))
    state = _over(stored.confirmation_state(study))
    lacking = record.close(recommendation.of(spec, study, confirming), state)
    storage.set_state(confirming, recorded=not lacking)
    return lacking


def _await(tracking: Tracking, waiting: Callable[[int], None]) -> None:
    """Wait until all is sent, or MLflow has taken nothing for a while."""
    left, since = tracking.waiting, time.monotonic()
    while left and time.monotonic() - since < (REFUSED_SECONDS if tracking.is_out_of_reach else PATIENCE_SECONDS):
        time.sleep(_GLANCE_SECONDS)
        if (now := tracking.waiting) < left:
            left, since = now, time.monotonic()
            waiting(left)


def _over(state: StudyState) -> StudyState:
    """Return a state as it is now that no driver runs the study."""
    return StudyState.INTERRUPTED if state is StudyState.RUNNING else state
