"""A study from its file to its result: storage, data, Ray Tune, and the records that people read."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import optuna

from tuner.datasets import Split
from tuner.errors import ServiceError, StudyFailed
from tuner.home import require_writable, study_directory, write_whole
from tuner.results import (
    StudyResult,
    StudyState,
    TrialRecord,
    TrialState,
)
from tuner.search import baselines, changes, check, database, session, storage, stored, warm_start
from tuner.search.clock import Clock
from tuner.search.lease import Lease, only_driver
from tuner.search.observer import Observer
from tuner.search.recording import Recording
from tuner.search.safety import Safety
from tuner.search.search import Search
from tuner.spec import StudySpec
from tuner.tracking import Tracking, TrackingReport, destination

_FLUSH_SECONDS = 60.0
_HURRIED_FLUSH_SECONDS = 2.0

STUDY_FILE = "study.yaml"
"""The merged study file as the study keeps it in its folder, for a resume."""


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


def run(
    spec: StudySpec, observers: Sequence[Observer] = (), begun: Callable[[Begun], None] = lambda _: None
) -> StudyResult:
    """Run a new study to its end, its budget's end, or an interruption.

    Raises:
        UsageError: a study of that name exists (its file's differences are named), or no node can hold one trial.
        StudyFileError: the data cannot be loaded as the file says, a model does not take its images, or a study to
            start from does not exist.
        ServiceError: Ray cannot be started or reached.
    """
    if storage.exists(spec.name):
        changes.refuse_changes(spec.name, stored.source(spec.name), spec.source)
    storage.refuse_existing(spec.name)
    require_writable()
    queued = baselines.queue(spec)
    others = warm_start.sources(spec)
    split = check.load(spec)
    with session.connected() as nodes:
        slots = session.slots(nodes, spec.resources.cpus, spec.resources.gpus, spec.resources.concurrent)
        study_directory(spec.name).mkdir(parents=True, exist_ok=True)
        with only_driver(spec.name) as lease:
            write_whole(study_directory(spec.name) / STUDY_FILE, spec.source)
            study = storage.create(spec.name, spec.objective.mode == "max")
            storage.set_state(study, metric=spec.objective.metric, id=uuid.uuid4().hex, source=spec.source)
            baselines.enqueue(study, queued)
            if others:
                warm_start.add(spec, study, others)
            return _drive(spec, study, split, lease, slots, observers=observers, begun=begun)


def resume(
    spec: StudySpec, observers: Sequence[Observer] = (), begun: Callable[[Begun], None] = lambda _: None
) -> StudyResult:
    """Go on with a study: its unfinished trials first, each from its last checkpoint, then new ones.

    What MLflow lacks is told to it again; where nothing is left to run, that is all, and Ray is not started.

    Raises:
        UsageError: there is no such study, its file has changed, or another driver runs it.
    """
    study = storage.load(spec.name)
    changes.refuse_changes(spec.name, study.user_attrs.get("source"), spec.source)
    with only_driver(spec.name) as lease:
        storage.mend(spec.name)
        write_whole(study_directory(spec.name) / STUDY_FILE, spec.source)  # with the limits of now
        storage.set_state(study, source=spec.source)
        if "id" not in study.user_attrs:
            storage.set_state(study, metric=spec.objective.metric, id=uuid.uuid4().hex)
        baselines.enqueue(study, baselines.queue(spec))
        if warm_start.is_missing(spec, study):
            warm_start.add(spec, study, warm_start.sources(spec))
        split = check.load(spec)
        if Search(spec, study, slots=1, spent_seconds=Clock(study).seconds()).finished:
            return _drive(spec, study, split, lease, 1, observers=observers, begun=begun)
        with session.connected() as nodes:
            slots = session.slots(nodes, spec.resources.cpus, spec.resources.gpus, spec.resources.concurrent)
            return _drive(spec, study, split, lease, slots, observers=observers, begun=begun)


def _drive(
    spec: StudySpec,
    study: optuna.Study,
    split: Split,
    lease: Lease,
    slots: int,
    *,
    observers: Sequence[Observer],
    begun: Callable[[Begun], None],
) -> StudyResult:
    clock = Clock(study)
    rule = {"settings": spec.scheduler.model_dump(), "epochs": spec.epochs}
    storage.set_state(study, state=StudyState.RUNNING.value, scheduler=rule)
    where = destination()
    record = Recording(Tracking(where, str(study.user_attrs["id"])), spec)
    if not study.user_attrs.get("recorded", True):
        record.repeat(study)
    storage.set_state(study, recorded=False)
    heard_by: list[Observer] = [record, clock, *observers]
    search = Search(spec, study, slots, heard_by, spent_seconds=clock.seconds(), is_ours=lease.holds)
    ended_before = tuple(one for one in storage.records(study) if one.state is not TrialState.RUNNING)
    begun(Begun(slots, search.trials_wanted, where.shown, ended_before, warm_start.words(study)))
    try:
        if not search.finished:
            from tuner.search import tune  # needs a connected Ray

            with database.patience(search.note):
                tune.drive(search, split)
    except ServiceError as error:
        # Nothing can be stored of its end, and nothing is missing: a resume rebuilds it all.
        record.abandon(_HURRIED_FLUSH_SECONDS)
        raise ServiceError(f"{error}; when that is mended: tuner resume {spec.name}") from error
    except BaseException as error:
        hurries = isinstance(error, KeyboardInterrupt)
        _finish(search, record, clock, lease, _HURRIED_FLUSH_SECONDS if hurries else _FLUSH_SECONDS)
        raise
    report = _finish(search, record, clock, lease, _FLUSH_SECONDS)
    state, tracking = StudyState(study.user_attrs["state"]), study.user_attrs["tracking"]
    ended = stored.result(study, state, float(study.user_attrs["seconds"]), stored.run_ids(study))
    stopping = stored.judged(ended.trials, spec.scheduler, spec.epochs, spec.objective.mode == "max")
    warnings = [*spec.warnings, *split.warnings, *search.warnings, *_complaints(report, ended, stopping)]
    return replace(ended, tracking=tracking, warnings=tuple(warnings))


def _finish(search: Search, record: Recording, clock: Clock, lease: Lease, flush_seconds: float) -> TrackingReport:
    """Store how the study stands, and close its record; a driver that was replaced leaves both alone."""
    if not lease.holds():
        record.abandon(flush_seconds)
        raise StudyFailed(_taken_over(search.spec.name))
    search.interrupt("interrupted")
    study, state, seconds = search.study, _state(search), clock.seconds()
    storage.set_state(study, state=state.value, seconds=seconds)
    report = record.close(stored.result(study, state, seconds), flush_seconds)
    runs = {**study.user_attrs.get("runs", {}), **_text_keys(record.run_ids())}
    tracking = {"uri": destination().shown, "experiment_id": report.experiment_id, "run_id": report.run_id}
    storage.set_state(study, runs=runs, tracking=tracking, recorded=not report.unwritten)
    return report


def _taken_over(name: str) -> str:
    return (
        f"another driver has taken over study {name}, because this one gave no sign of life for a minute; "
        f"`tuner status {name}` shows it"
    )


def _complaints(report: TrackingReport, ended: StudyResult, stopping: Safety | None) -> Iterator[str]:
    if report.unwritten:
        advice = f"when it answers again, `tuner resume {ended.study}` records what is missing"
        yield f"MLflow lacks {report.unwritten} records of this study ({report.error}); {advice}"
    if ended.state is StudyState.FAILED:
        yield f"the commonest causes of failure: {_commonest_causes(ended.trials)}"
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


def _commonest_causes(trials: Sequence[TrialRecord]) -> str:
    causes = Counter(trial.cause for trial in trials if trial.state is TrialState.FAILED)
    return "; ".join(f"{cause} ({count} trials)" for cause, count in causes.most_common(3))
