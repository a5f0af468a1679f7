"""A study from its file to its result: storage, data, Ray Tune, and the records that people read."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import optuna

from tuner.datasets import Split
from tuner.home import require_writable, study_directory, write_whole
from tuner.results import StudyResult, StudyState
from tuner.search import (
    baselines,
    changes,
    check,
    confirm,
    recommendation,
    session,
    sharing,
    storage,
    stored,
    supervision,
    turn,
    warm_start,
)
from tuner.search.clock import Clock
from tuner.search.lease import Lease, only_driver
from tuner.search.observer import Observer
from tuner.search.running import Begun, Running, search_on
from tuner.search.search import Search
from tuner.search.waiting import NotYet
from tuner.spec import StudySpec

STUDY_FILE = "study.yaml"
"""The merged study file as the study keeps it in its folder, for a resume."""


Observe = Callable[[confirm.ConfirmationBegun], Sequence[Observer]]
"""Returns who hears of a confirmation's trainings, once they begin."""


def run(
    spec: StudySpec,
    observers: Sequence[Observer] = (),
    begun: Callable[[Begun], None] = lambda _: None,
    observe: Observe = lambda _: (),
    *,
    priority: int | None = None,
) -> StudyResult:
    """Run a new study to its end, its budget's end, or an interruption; a search that is done is confirmed.

    Raises:
        UsageError: a study of that name exists (its file's differences are named), or no node can hold one trial.
        StudyFileError: the data cannot be loaded as the file says, a model does not take its images, or a study to
            start from does not exist.
        ServiceError: Ray cannot be started or reached.
        NotYet: it waits for its turn on a cluster; to go on when that has come: `NotYet.wait_as`.
    """
    if storage.exists(spec.name):
        changes.refuse_changes(spec.name, stored.source(spec.name), spec.source)
    storage.refuse_existing(spec.name)
    require_writable()
    queued = baselines.queue(spec)
    session.require_gpus(spec.resources.gpus_known)
    others = warm_start.sources(spec)
    note = _telling(observers)
    # Here what is refused leaves nothing; on a cluster the study has its place in the queue before minutes of reading.
    read = None if os.environ.get("RAY_ADDRESS") else check.load(spec)
    with only_driver(spec.name) as lease, _created(spec, lease) as study, turn.queued(study, priority):
        split = check.load(spec) if read is None else read
        check.require_same_data(study, split)
        baselines.enqueue(study, queued)
        if others:
            warm_start.add(spec, study, others)
        with _room(spec, note):
            running = _begun(spec, study, lease, (priority, note), split)
            return _confirmed(search_on(running, observers, begun), running, observe)


def resume(
    spec: StudySpec,
    observers: Sequence[Observer] = (),
    begun: Callable[[Begun], None] = lambda _: None,
    observe: Observe = lambda _: (),
    *,
    priority: int | None = None,
) -> StudyResult:
    """Go on with a study: its unfinished trials first, each from its last checkpoint, then new ones, then fresh seeds.

    What MLflow lacks is told to it again; where nothing is left to run, that is all, and Ray is not started.

    Raises:
        UsageError: there is no such study, its file or its data have changed, or another driver runs it.
        NotYet: it waits for its turn on a cluster.
    """
    study = storage.load(spec.name)
    changes.refuse_changes(spec.name, study.user_attrs.get("source"), spec.source)
    was_there = supervision.is_queued(study)
    with _opened(spec, study, priority) as lease:
        if "id" not in study.user_attrs:
            storage.set_state(study, metric=spec.objective.metric, id=uuid.uuid4().hex)
        baselines.enqueue(study, baselines.queue(spec))
        if warm_start.is_missing(spec, study):
            warm_start.add(spec, study, warm_start.sources(spec))
        split = check.load(spec)
        check.require_same_data(study, split)
        searched = Search(spec, study, slots=1, spent_seconds=Clock(study).seconds())
        if searched.finished and (searched.wants_more() or not confirm.is_wanted(spec, study)):
            return recommendation.added_to(search_on(Running(spec, study, split, lease, 1), observers, begun))
        session.require_gpus(spec.resources.gpus_known)
        note = _telling(observers)
        with _room(spec, note, was_there=was_there):
            running = _begun(spec, study, lease, (priority, note), split)
            return _confirmed(search_on(running, observers, begun), running, observe)


def confirm_again(spec: StudySpec, observe: Observe = lambda _: ()) -> StudyResult:
    """Train what is missing of a study's confirmation, whatever its search has come to; nothing is searched.

    Raises:
        UsageError: there is no such study, its file has changed, another driver runs it, or it has nothing to confirm.
    """
    study = storage.load(spec.name)
    changes.refuse_changes(spec.name, study.user_attrs.get("source"), spec.source)
    confirm.require_confirmable(spec, study)
    with _opened(spec, study, None) as lease:
        result = replace(stored.stored(spec.name), state=StudyState.COMPLETED)
        if (confirming := storage.confirmation_if_begun(study)) is not None:
            confirm.retry_failed(confirming)
        if not confirm.is_wanted(spec, study):
            return recommendation.added_to(result)
        split = check.load(spec)
        check.require_same_data(study, split)
        session.require_gpus(spec.resources.gpus_known)
        note = _telling(())
        with _room(spec, note):
            return _confirmed(result, _begun(spec, study, lease, (None, note), split), observe)


@contextmanager
def _created(spec: StudySpec, lease: Lease) -> Iterator[optuna.Study]:
    """Yield a new study, as it is stored; what ends before it has begun leaves nothing, unless it is to go on."""
    study_directory(spec.name).mkdir(parents=True, exist_ok=True)
    write_whole(study_directory(spec.name) / STUDY_FILE, spec.source)
    study = storage.create(spec.name, spec.objective.mode == "max")
    try:
        storage.set_state(study, metric=spec.objective.metric, id=uuid.uuid4().hex, source=spec.source)
        yield study
    except NotYet:
        raise
    except BaseException as error:
        has_begun = "state" in study.user_attrs
        if lease.holds() and not has_begun and not supervision.goes_on_after(error):
            lease.release()
            storage.delete(spec.name)
        raise


@contextmanager
def _opened(spec: StudySpec, study: optuna.Study, priority: int | None) -> Iterator[Lease]:
    """Hold the lease of a study that exists, which has its place in the queue and its file as it is now."""
    with only_driver(spec.name) as lease:
        storage.mend(spec.name)
        _keep_source(spec, study)
        with turn.queued(study, priority):
            yield lease


@contextmanager
def _room(spec: StudySpec, note: Callable[[str], None], *, was_there: bool = False) -> Iterator[None]:
    """Connect to Ray for as long as the block runs, where it has room for one trial."""
    with session.connected():
        session.await_room(spec.resources.cpus, spec.resources.gpus_known, note, was_there=was_there)
        yield


def _begun(
    spec: StudySpec, study: optuna.Study, lease: Lease, waiting: tuple[int | None, Callable[[str], None]], split: Split
) -> Running:
    """Return the study as it runs, where it is its turn."""
    share = turn.begun(spec, study, lease, *waiting)
    resources, nodes = spec.resources, session.nodes()
    gpus = sharing.first_gpus(resources.gpus, nodes)
    room = session.room(nodes, resources.cpus, gpus, resources.concurrent)
    return Running(spec, study, split, lease, max(1, share(nodes, room, gpus)), share)


def _telling(observers: Sequence[Observer]) -> Callable[[str], None]:
    """Return what tells observers for what a study waits before it begins."""

    def note(words: str) -> None:
        for observer in observers:
            observer.noted(words)

    return note


def _confirmed(result: StudyResult, running: Running, observe: Observe) -> StudyResult:
    """Return the result with what fresh seeds made of it; a search that is not over is not confirmed."""
    spec, study = running.spec, running.study
    if result.state is not StudyState.COMPLETED or not confirm.is_wanted(spec, study):
        return recommendation.added_to(result)
    warnings = confirm.drive(running, observe)
    state = stored.confirmation_state(study)
    return recommendation.added_to(replace(result, state=state, warnings=(*result.warnings, *warnings)))


def _keep_source(spec: StudySpec, study: optuna.Study) -> None:
    """Keep the study's file with the limits of now."""
    write_whole(study_directory(spec.name) / STUDY_FILE, spec.source)
    storage.set_state(study, source=spec.source)
