"""A search carried out by this process: driven by Ray Tune, recorded in MLflow, its time and its end stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import optuna

from tuner.datasets import Split
from tuner.errors import StudyFailed
from tuner.results import EpochMetrics, StudyResult, StudyState, TrialRecord, TrialState
from tuner.search import causes, storage, stored, warm_start
from tuner.search.checkpoints import KeptCheckpoints
from tuner.search.lease import Lease
from tuner.search.observer import Observer
from tuner.search.recording import Recording
from tuner.search.safety import Safety
from tuner.search.search import Search
from tuner.spec import StudySpec
from tuner.tracking import Tracking, TrackingReport, destination

_FLUSH_SECONDS = 60.0
_HURRIED_FLUSH_SECONDS = 2.0


@dataclass(frozen=True)
class Running:
    """A study that this process drives: what is to be done, where it is stored, its data, `slots` trials at a time."""

    spec: StudySpec
    study: optuna.Study
    split: Split
    lease: Lease
    slots: int


@dataclass(frozen=True)
class Begun:
    """What is known once a study has begun: how many trials may run at a time, where MLflow is, what ended before.

    `notes` are sentences for people, on what the study starts from.
    """

    slots: int
    trials: int
    tracking_uri: str
    ended: tuple[TrialRecord, ...] = ()
    notes: tuple[str, ...] = ()


def search_on(running: Running, observers: Sequence[Observer], begun: Callable[[Begun], None]) -> StudyResult:
    """Run what is left of a search, and record it; without anything left Ray need not be connected."""
    spec, study, split, lease = running.spec, running.study, running.split, running.lease
    clock = Clock(study)
    rule = {"settings": spec.scheduler.model_dump(), "epochs": spec.epochs}
    storage.set_state(study, state=StudyState.RUNNING.value, scheduler=rule)
    where = destination()
    record = Recording(Tracking(where, str(study.user_attrs["id"])), spec)
    if not study.user_attrs.get("recorded", True):
        record.repeat(study)
    storage.set_state(study, recorded=False)
    kept = KeptCheckpoints(study.study_name, storage.records(study), spec.objective.mode == "max")
    heard_by: list[Observer] = [record, clock, kept, *observers]
    search = Search(spec, study, running.slots, heard_by, spent_seconds=clock.seconds(), is_ours=lease.holds)
    ended_before = tuple(one for one in storage.records(study) if one.state is not TrialState.RUNNING)
    begun(Begun(running.slots, search.trials_wanted, where.shown, ended_before, warm_start.words(study)))
    flush_seconds = _FLUSH_SECONDS
    try:
        if not search.finished:
            from tuner.search import tune  # needs a connected Ray

            tune.drive(search, split)
    except KeyboardInterrupt:
        flush_seconds = _HURRIED_FLUSH_SECONDS
        raise
    finally:
        if not lease.holds():
            record.abandon(flush_seconds)
            raise StudyFailed(_taken_over(spec.name))
        search.interrupt("interrupted")
        state = _state(search)
        seconds = clock.seconds()
        storage.set_state(study, state=state.value, seconds=seconds)
        report = record.close(stored.result(study, state, seconds), flush_seconds)
        runs = {**study.user_attrs.get("runs", {}), **_text_keys(record.run_ids())}
        ids = {"experiment_id": report.experiment_id, "run_id": report.run_id}
        storage.set_state(study, runs=runs, tracking={"uri": where.shown, **ids}, recorded=not report.unwritten)
    ended = stored.result(study, state, seconds, stored.run_ids(study))
    stopping = stored.judged(ended.trials, spec.scheduler, spec.epochs, spec.objective.mode == "max")
    complaints = [*kept.complaints(), *_complaints(report, ended, stopping)]
    warnings = [*spec.warnings, *split.warnings, *search.warnings, *complaints]
    return replace(ended, tracking={"uri": where.shown, **ids}, warnings=tuple(warnings))


def _taken_over(name: str) -> str:
    return (
        f"another driver has taken over study {name}, because this one gave no sign of life for a minute; "
        f"`tuner status {name}` shows it"
    )


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


def _complaints(report: TrackingReport, ended: StudyResult, stopping: Safety | None) -> Iterator[str]:
    if report.unwritten:
        advice = f"when it answers again, `tuner resume {ended.study}` records what is missing"
        yield f"MLflow lacks {report.unwritten} records of this study ({report.error}); {advice}"
    if ended.state is StudyState.FAILED:
        yield f"the commonest causes of failure: {causes.commonest(ended.trials)}"
    if stopping is not None and stopping.is_safe is False:
        yield stopping.words


def _text_keys(run_ids: Mapping[int, str]) -> dict[str, str]:
    return {str(number): run_id for number, run_id in run_ids.items()}


def _state(search: Search) -> StudyState:
    if search.too_many_failures() or (search.finished and not search.has_complete()):
        return StudyState.OUT_OF_BUDGET if search.out_of_budget else StudyState.FAILED
    if search.finished and not search.wants_more():
        return StudyState.COMPLETED
    return StudyState.OUT_OF_BUDGET if search.out_of_budget else StudyState.INTERRUPTED
