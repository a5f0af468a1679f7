"""What is stored of a study, read back; without torch, which takes seconds to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import optuna

from tuner.errors import UsageError
from tuner.results import StudyResult, StudyState, best_of, unmixed_baseline
from tuner.search import checkpoints, storage
from tuner.search.lease import driver
from tuner.tracking import child_runs, destination


def stored(name: str, with_runs: bool = False) -> StudyResult:
    """Return what is stored of a study; `with_runs` looks up its MLflow runs.

    Raises:
        UsageError: there is no such study.
        ServiceError: MLflow is out of reach, and its runs were asked for.
    """
    return of(storage.load(name), with_runs)


def of(study: optuna.Study, with_runs: bool = False) -> StudyResult:
    """Return what a loaded study holds, which takes a second where it has thousands of trials; see `stored`."""
    name = study.study_name
    state, holder = standing(study), driver(name)
    is_queued = holder is not None and holder.claim is not None and not holder.claim.is_running
    if is_queued or (holder is not None and "state" not in study.user_attrs):  # it may wait for data or nodes
        state = StudyState.WAITING
    elif state is StudyState.RUNNING and holder is None:
        state = StudyState.INTERRUPTED
    where = destination()
    runs = run_ids(study)
    if with_runs and len(runs) < len(study.get_trials(deepcopy=False)):
        runs = {**runs, **child_runs(name, where, str(study.user_attrs.get("id", "")))}
    found = result(study, state, float(study.user_attrs.get("seconds", 0.0)), runs)
    recorded = where.found_at() | study.user_attrs.get("tracking", {})
    return replace(found, tracking=recorded)


def standing(study: optuna.Study) -> StudyState:
    """Return how a study stands by its last driver's word."""
    state = StudyState(study.user_attrs.get("state", StudyState.INTERRUPTED))
    # The search may be complete, and its confirmation have been cut off.
    return confirmation_state(study) if state is StudyState.COMPLETED else state


def confirmation_state(study: optuna.Study) -> StudyState:
    """Return how a study's confirmation stands; completed where none was begun."""
    confirming = storage.confirmation_if_begun(study)
    kept = StudyState.COMPLETED if confirming is None else confirming.user_attrs.get("state", StudyState.COMPLETED)
    return StudyState(kept)


def source(name: str) -> str | None:
    """Return the merged study file that a study began with; None of a study that never got so far."""
    try:
        kept: str | None = storage.load(name).user_attrs.get("source")
    except UsageError:
        return None
    return kept


def objective(study: optuna.Study) -> tuple[str, bool]:
    """Return a stored study's metric, and whether larger is better."""
    return str(study.user_attrs.get("metric", "val_accuracy")), study.direction is optuna.study.StudyDirection.MAXIMIZE


def result(
    study: optuna.Study, state: StudyState, seconds: float, runs: Mapping[int, str] | None = None
) -> StudyResult:
    """Return what a study's storage holds, as a result; `runs` are the trials' MLflow runs."""
    trials = tuple(storage.records(study, runs))
    maximise = study.direction is optuna.study.StudyDirection.MAXIMIZE
    best = best_of(trials, maximise)
    network = checkpoints.trained_network(study.study_name, best)
    return StudyResult(
        study.study_name,
        state,
        trials,
        best,
        unmixed_baseline(trials, maximise),
        seconds,
        network=None if network is None else str(network),
    )


def run_ids(study: optuna.Study) -> dict[int, str]:
    """Return the MLflow runs that the study's storage remembers, by trial number."""
    return {int(number): run_id for number, run_id in study.user_attrs.get("runs", {}).items()}
