"""What a stored study recommends: its finalists, what fresh seeds said of them, the verdict."""

from __future__ import annotations

from dataclasses import replace

import optuna

from tuner import spec, trial
from tuner.errors import UsageError
from tuner.results import StudyResult
from tuner.search import storage
from tuner.search.seeds import fresh_seeds, scores
from tuner.selection.finalists import Candidate, candidates
from tuner.selection.recommend import Recommendation, recommend
from tuner.spec.study import Study


def candidates_of(settings: Study | spec.StudySpec, study: optuna.Study) -> tuple[Candidate, ...]:
    """Return the baseline and the finalists of a study's search, by what is stored of it now.

    Raises:
        ValueError: no trial without mixing was started.
    """
    maximise = settings.objective.mode == "max"
    return candidates(storage.records(study), settings.confirm.finalists, maximise, trial.policy_cost)


def of(settings: Study | spec.StudySpec, study: optuna.Study, confirming: optuna.Study | None) -> Recommendation:
    """Return what a study recommends, by its search and the trainings that confirm it so far."""
    metric, maximise = settings.objective.metric, settings.objective.mode == "max"
    found = {} if confirming is None else scores(confirming, metric)
    return recommend(candidates_of(settings, study), found, fresh_seeds(settings), metric, maximise)


def added_to(result: StudyResult) -> StudyResult:
    """Return a stored study's result with what fresh seeds made of it, where they were trained."""
    if storage.confirmation_if_begun(storage.load(result.study)) is None:
        return result
    return replace(result, recommendation=read(result.study).as_json())


def read(name: str) -> Recommendation:
    """Return what a stored study recommends.

    Raises:
        UsageError: there is no such study, or it was begun before studies kept their file.
        ValueError: its search has not started a trial without mixing yet.
    """
    study = storage.load(name)
    source = study.user_attrs.get("source")
    if source is None:
        raise UsageError(f"study {name} was begun by an earlier version, which did not keep its file; run it anew")
    return of(spec.settings(source), study, storage.confirmation_if_begun(study))
