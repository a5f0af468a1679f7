"""What a stored study recommends: its finalists, what fresh seeds said of them, the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import optuna

from tuner import spec, trial
from tuner.errors import UsageError
from tuner.results import StudyResult, flatten
from tuner.search import ranges, storage
from tuner.search.seeds import fresh_seeds, scores
from tuner.selection.answer import Response
from tuner.selection.finalists import Candidate, candidates
from tuner.selection.recommend import Recommendation, recommend
from tuner.selection.response import Group, responses
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
    trained = candidates_of(settings, study)
    curves = {(one.method, one.distribution): one for one in responses_of(settings, study)}
    intervals = {
        one.key: response.as_json()["interval"]
        for one in trained
        if (response := curves.get(_group(flatten(one.config)))) is not None and response.interval is not None
    }
    recommended = recommend(trained, found, fresh_seeds(settings), metric, maximise, alpha_intervals=intervals)
    planned = settings.confirm.seeds if confirming is None else confirming.user_attrs.get("planned")
    if planned in {None, settings.confirm.seeds}:
        return recommended
    changed = (
        f"confirm.seeds was {planned} when the first seeds were trained and is {settings.confirm.seeds} now: intervals "
        "and p-values hold for a number that was fixed before anybody saw a score"
    )
    return replace(recommended, warnings=(*recommended.warnings, changed))


def responses_of(settings: Study | spec.StudySpec, study: optuna.Study) -> tuple[Response, ...]:
    """Return how the objective answers to alpha, for each method and distribution that the study tried."""
    trials = storage.records(study)
    return responses(trials, maximise=settings.objective.mode == "max", searched=ranges.searched(study))


def _group(params: Mapping[str, Any]) -> Group:
    return str(params.get("mixing.name")), str(params.get("mixing.ratio.name"))


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
    return of(_settings(study), study, storage.confirmation_if_begun(study))


def read_responses(name: str) -> tuple[Response, ...]:
    """Return how a stored study's objective answers to alpha, for each method and distribution that it tried.

    Raises:
        UsageError: there is no such study, or it was begun before studies kept their file.
    """
    study = storage.load(name)
    return responses_of(_settings(study), study)


def _settings(study: optuna.Study) -> Study:
    source = study.user_attrs.get("source")
    if source is None:
        name = study.study_name
        raise UsageError(f"study {name} was begun by an earlier version, which did not keep its file; run it anew")
    return spec.settings(source)
