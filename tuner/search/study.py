"""A study from its file to its result: storage, data, Ray Tune, and the records that people read."""

from __future__ import annotations

import shutil
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import optuna
from filelock import FileLock, Timeout

from tuner.datasets import Split
from tuner.errors import UsageError
from tuner.home import study_directory
from tuner.results import (
    StudyResult,
    StudyState,
    TrialRecord,
    TrialState,
    best_of,
    unmixed_baseline,
)
from tuner.search import baselines, check, session, storage
from tuner.search.observer import Observer
from tuner.search.recording import Recording
from tuner.search.search import Search
from tuner.spec import StudySpec
from tuner.tracking import Tracking, child_runs, destination

STUDY_FILE = "study.yaml"
"""The merged study file as the study keeps it in its folder, for a resume."""


@dataclass(frozen=True)
class Begun:
    """What is known once a study has begun: how many trials may run at a time, where MLflow is, what ended before."""

    slots: int
    trials: int
    tracking_uri: str
    ended: tuple[TrialRecord, ...] = ()


def run(
    spec: StudySpec, observers: Sequence[Observer] = (), begun: Callable[[Begun], None] = lambda _: None
) -> StudyResult:
    """Run a new study to its end, its budget's end, or an interruption.

    Raises:
        UsageError: a study of that name exists, or no node can hold one trial.
        StudyFileError: the data cannot be loaded as the file says, or a model does not take its images.
        ServiceError: Ray cannot be started or reached.
    """
    if storage.exists(spec.name):
        storage.create(spec.name, maximise=True)
    split = check.load(spec)
    with session.connected() as nodes:
        slots = session.slots(nodes, spec.resources.cpus, spec.resources.gpus, spec.resources.concurrent)
        study = storage.create(spec.name, spec.objective.mode == "max")
        with _only_driver(spec.name):
            (study_directory(spec.name) / STUDY_FILE).write_text(spec.source)
            storage.set_state(study, metric=spec.objective.metric, id=uuid.uuid4().hex)
            baselines.enqueue(spec, study, baselines.blocks(spec))
            return _drive(spec, study, split, slots, observers=observers, begun=begun)


def resume(
    spec: StudySpec, observers: Sequence[Observer] = (), begun: Callable[[Begun], None] = lambda _: None
) -> StudyResult:
    """Go on with a study: its unfinished trials first, each from its last checkpoint, then new ones.

    Raises:
        UsageError: there is no such study, or another driver runs it.
    """
    study = storage.load(spec.name)
    with _only_driver(spec.name):
        split = check.load(spec)
        with session.connected() as nodes:
            slots = session.slots(nodes, spec.resources.cpus, spec.resources.gpus, spec.resources.concurrent)
            return _drive(spec, study, split, slots, observers=observers, begun=begun)


def stored(name: str, with_runs: bool = False) -> StudyResult:
    """Return what is stored of a study; `with_runs` looks up its MLflow runs.

    Raises:
        UsageError: there is no such study.
        ServiceError: MLflow is out of reach, and its runs were asked for.
    """
    study = storage.load(name)
    state = StudyState(study.user_attrs.get("state", StudyState.INTERRUPTED))
    if state is StudyState.RUNNING and not _is_driven(name):
        state = StudyState.INTERRUPTED
    where = destination()
    runs = _run_ids(study)
    if with_runs and len(runs) < len(study.get_trials(deepcopy=False)):
        runs = {**runs, **child_runs(name, where, str(study.user_attrs.get("id", "")))}
    found = result(study, state, float(study.user_attrs.get("seconds", 0.0)), runs)
    return replace(found, tracking={"uri": where.shown})


def objective(name: str) -> tuple[str, bool]:
    """Return a stored study's metric, and whether larger is better."""
    study = storage.load(name)
    return str(study.user_attrs["metric"]), study.direction is optuna.study.StudyDirection.MAXIMIZE


def result(
    study: optuna.Study, state: StudyState, seconds: float, run_ids: Mapping[int, str] | None = None
) -> StudyResult:
    """Return what a study's storage holds, as a result; `run_ids` are the trials' MLflow runs."""
    trials = tuple(storage.records(study, run_ids))
    maximise = study.direction is optuna.study.StudyDirection.MAXIMIZE
    return StudyResult(study.study_name, state, trials, best_of(trials, maximise), unmixed_baseline(trials), seconds)


def _drive(
    spec: StudySpec,
    study: optuna.Study,
    split: Split,
    slots: int,
    *,
    observers: Sequence[Observer],
    begun: Callable[[Begun], None],
) -> StudyResult:
    start = time.monotonic()
    before = float(study.user_attrs.get("seconds", 0.0))
    storage.set_state(study, state=StudyState.RUNNING.value)
    where = destination()
    record = Recording(Tracking(where, str(study.user_attrs["id"])), spec)
    search = Search(spec, study, slots, [record, *observers])
    ended_before = tuple(one for one in storage.records(study) if one.state is not TrialState.RUNNING)
    begun(Begun(slots, search.trials_wanted, where.shown, ended_before))
    try:
        _fit(search, split)
    finally:
        search.interrupt("interrupted")
        state = _state(search)
        seconds = before + time.monotonic() - start
        storage.set_state(study, state=state.value, seconds=seconds)
        report = record.close(result(study, state, seconds))
    storage.set_state(study, runs={**study.user_attrs.get("runs", {}), **_text_keys(record.run_ids())})
    ended = result(study, state, seconds, _run_ids(study))
    ids = {"uri": where.shown, "experiment_id": report.experiment_id, "run_id": report.run_id}
    warnings = [*spec.warnings, *split.warnings]
    if report.unwritten:
        warnings.append(f"MLflow lacks {report.unwritten} records: {report.error}")
    if state is StudyState.FAILED:
        warnings.append(f"the commonest causes of failure: {_commonest_causes(ended.trials)}")
    return replace(ended, tracking=ids, warnings=tuple(warnings))


def _fit(search: Search, split: Split) -> None:
    """Let Ray Tune run the search; it returns when the search is finished or the user interrupts."""
    from ray import tune  # after the session has set what Ray reads when it is imported
    from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig

    from tuner.search.adapters import SearchScheduler, SearchSearcher
    from tuner.search.worker import TrialActor

    if search.finished:
        return
    resources = search.spec.resources
    scratch = study_directory(search.spec.name) / "ray"
    trainable = tune.with_resources(
        tune.with_parameters(TrialActor, split=split),
        {"cpu": resources.cpus, **({"gpu": resources.gpus} if resources.gpus else {})},
    )
    tuner = tune.Tuner(
        trainable,
        tune_config=TuneConfig(
            search_alg=SearchSearcher(search), scheduler=SearchScheduler(search), num_samples=-1, reuse_actors=True
        ),
        run_config=RunConfig(
            name="tune",
            storage_path=str(scratch),
            verbose=0,
            failure_config=FailureConfig(max_failures=3),
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),  # the trials write their own
        ),
    )
    try:
        tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run_ids(study: optuna.Study) -> dict[int, str]:
    """Return the MLflow runs that the study's storage remembers, by trial number."""
    return {int(number): run_id for number, run_id in study.user_attrs.get("runs", {}).items()}


def _text_keys(run_ids: Mapping[int, str]) -> dict[str, str]:
    return {str(number): run_id for number, run_id in run_ids.items()}


def _state(search: Search) -> StudyState:
    if search.out_of_budget:
        return StudyState.OUT_OF_BUDGET
    if search.too_many_failures():
        return StudyState.FAILED
    return StudyState.COMPLETED if search.finished else StudyState.INTERRUPTED


def _commonest_causes(trials: Sequence[TrialRecord]) -> str:
    causes = Counter(trial.cause for trial in trials if trial.state is TrialState.FAILED)
    return "; ".join(f"{cause} ({count} trials)" for cause, count in causes.most_common(3))


def _is_driven(name: str) -> bool:
    """Tell whether a driver holds the study's lock now."""
    try:
        with _only_driver(name):
            return False
    except UsageError:
        return True


@contextmanager
def _only_driver(name: str) -> Iterator[None]:
    """Hold the study's lock, so that two drivers never run one study."""
    lock = FileLock(study_directory(name) / "driver.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UsageError(f"study {name} is being run by another process; wait for it, or stop it first") from error
    try:
        yield
    finally:
        lock.release()
