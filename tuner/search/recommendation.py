"""What a stored study recommends: its finalists, what fresh seeds said of them, the verdict."""

from __future__ import annotations

import optuna

from tuner import spec, trial
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


def read(name: str) -> Recommendation:
    """Return what a stored study recommends.

    Raises:
        UsageError: there is no such study.
        ValueError: its search has not started a trial without mixing yet.
    """
    study = storage.load(name)
    return of(spec.settings(study.user_attrs["source"]), study, storage.confirmation_if_begun(study))
