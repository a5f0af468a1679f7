"""A search carried out by this process: driven by Ray Tune, recorded in MLflow, its time and its end stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import optuna

from tuner.datasets import Split
from tuner.errors import ServiceError, StudyFailed
from tuner.results import StudyResult, StudyState, TrialRecord, TrialState, averaged
from tuner.search import causes, check, database, storage, stored, turn, warm_start
from tuner.search.checkpoints import KeptCheckpoints
from tuner.search.clock import Clock
from tuner.search.lease import Lease
from tuner.search.observer import Observer
from tuner.search.queue import Share, all_of_it
from tuner.search.recording import Recording, data_of
from tuner.search.safety import Safety, judged
from tuner.search.search import Search
from tuner.spec import StudySpec
from tuner.tracking import Tracking, TrackingReport, destination, environment, spool_folder

_FLUSH_SECONDS = 60.0
_HURRIED_FLUSH_SECONDS = 2.0


@dataclass(frozen=True)
class Running:
    """A study that this process drives: what is to be done, where it is stored, its data, `slots` trials at a time.

    `share` says, as nodes and other studies come and go, how many it may have.
    """

    spec: StudySpec
    study: optuna.Study
    split: Split
    lease: Lease
    slots: int
    share: Share = all_of_it


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
    rule = {"settings": spec.scheduler.model_dump(), "epochs": spec.epochs, "seeds": spec.search.seeds}
    storage.set_state(study, state=StudyState.RUNNING.value, scheduler=rule)
    where = destination()
    tracking = Tracking(where, str(study.user_attrs["id"]), spool=spool_folder(spec.name))
    # Kept with the study too: another MLflow, told later, is to have what was true when the study ran.
    ran_with, data = environment(), data_of(split, check.digest(study))
    storage.set_state(study, environment=ran_with, dataset=asdict(data))
    record = Recording(tracking, spec, storage.records(study), ran_with)
    record.data_read(data)
    if not study.user_attrs.get("recorded", True):
        record.repeat(study)
    storage.set_state(study, recorded=False)
    known = storage.records(study)
    kept = KeptCheckpoints(study.study_name, known, spec.objective.mode == "max", seeds=spec.search.seeds)
    heard_by: list[Observer] = [record, clock, kept, *observers]
    search = Search(spec, study, running.slots, heard_by, spent_seconds=clock.seconds(), is_ours=lease.holds)
    ended_before = tuple(one for one in storage.records(study) if one.state is not TrialState.RUNNING)
    search.share, search.measuring = running.share, partial(turn.measuring, lease)
    begun(Begun(running.slots, search.trials_wanted, where.page or where.shown, ended_before, warm_start.words(study)))
    try:
        carry_out(search, split, lambda: record.abandon(_HURRIED_FLUSH_SECONDS))
    except ServiceError:
        raise
    except BaseException as error:
        hurries = isinstance(error, KeyboardInterrupt)
        _finish(search, record, clock, lease, _HURRIED_FLUSH_SECONDS if hurries else _FLUSH_SECONDS)
        raise
    report = _finish(search, record, clock, lease, _FLUSH_SECONDS)
    state, tracking = StudyState(study.user_attrs["state"]), study.user_attrs["tracking"]
    ended = stored.result(study, state, float(study.user_attrs["seconds"]), stored.run_ids(study))
    rungs_saw = averaged(ended.trials) if spec.search.seeds > 1 else ended.trials
    stopping = judged(rungs_saw, spec.scheduler, spec.epochs, spec.objective.mode == "max")
    complaints = [*kept.complaints(), *_complaints(report, ended, stopping)]
    warnings = [*spec.warnings, *split.warnings, *search.warnings, *complaints]
    return replace(ended, tracking=tracking, warnings=tuple(warnings))


def carry_out(search: Search, split: Split, abandon: Callable[[], None], *, scores_test: bool = False) -> None:
    """Run what is left of a search on a connected Ray, waiting for a database that is away for a while.

    Raises:
        ServiceError: the database stays away. Nothing can be stored of the end, so the record was abandoned; nothing is
            missing either: a resume rebuilds it all.
    """
    if search.finished:
        return
    from tuner.search import tune  # needs a connected Ray

    try:
        with database.patience(search.note):
            tune.drive(search, split, scores_test=scores_test)
    except ServiceError as error:
        abandon()
        raise ServiceError(f"{error}; when that is mended: tuner resume {search.spec.name}") from error


def _finish(search: Search, record: Recording, clock: Clock, lease: Lease, flush_seconds: float) -> TrackingReport:
    """Store how the study stands, and close its record; a driver that was replaced leaves both alone."""
    if not lease.holds():
        record.abandon(flush_seconds)
        raise StudyFailed(taken_over(search.spec.name))
    search.interrupt("interrupted")
    study, state, seconds = search.study, _state(search), clock.seconds()
    storage.set_state(study, state=state.value, seconds=seconds)
    report = record.close(stored.result(study, state, seconds), flush_seconds)
    runs = {**study.user_attrs.get("runs", {}), **_text_keys(record.run_ids())}
    tracking = destination().found_at(report.experiment_id, report.run_id)
    storage.set_state(study, runs=runs, tracking=tracking, recorded=not report.unwritten)
    return report


def taken_over(name: str) -> str:
    """Say to a driver that lost its lease why it ends."""
    return (
        f"another driver has taken over study {name}, because this one gave no sign of life for a minute; "
        f"`tuner status {name}` shows it"
    )


def _complaints(report: TrackingReport, ended: StudyResult, stopping: Safety | None) -> Iterator[str]:
    if report.unwritten:
        advice = f"when it answers again, `tuner sync {ended.study}` sends what is missing"
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
