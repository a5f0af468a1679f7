"""What a stored study recommends: its finalists, what fresh seeds said of them, the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna

from tuner import spec, trial
from tuner.errors import UsageError
from tuner.results import StudyResult, flatten
from tuner.search import checkpoints, ranges, storage
from tuner.search.seeds import fresh_seeds, scores, tested, training_of, trainings
from tuner.selection.answer import Response
from tuner.selection.finalists import Candidate, candidates
from tuner.selection.recommend import Recommendation, recommend
from tuner.selection.response import Group, responses
from tuner.selection.second_axes import SecondAxes, second_axes
from tuner.selection.words import counted
from tuner.spec.study import Study


def candidates_of(settings: Study | spec.StudySpec, study: optuna.Study) -> tuple[Candidate, ...]:
    """Return the baseline and the finalists of a study's search, by what is stored of it now.

    Raises:
        ValueError: no trial without mixing was started.
    """
    maximise = settings.objective.mode == "max"
    return candidates(storage.records(study), settings.confirm.finalists, maximise, trial.policy_cost)


def of(
    settings: Study | spec.StudySpec,
    study: optuna.Study,
    confirming: optuna.Study | None,
    known_responses: Sequence[Response] | None = None,
) -> Recommendation:
    """Return what a study recommends, by its search and the trainings that confirm it so far.

    `known_responses` are those of `responses_of`, for who has them already: they take seconds.
    """
    metric, maximise = settings.objective.metric, settings.objective.mode == "max"
    found = {} if confirming is None else scores(confirming, metric)
    trained = candidates_of(settings, study)
    answers = responses_of(settings, study) if known_responses is None else known_responses
    curves = {(one.method, one.distribution): one for one in answers}
    known = {
        one.key: (response, flatten(one.config).get(f"mixing.ratio.{response.parameter}"))
        for one in trained
        if (response := curves.get(_group(flatten(one.config)))) is not None and response.interval is not None
    }
    intervals = {key: response.as_json()["interval"] for key, (response, own) in known.items() if _holds(response, own)}
    gone = len(found.keys() - {one.key for one in trained})
    recommended = recommend(
        trained, found, fresh_seeds(settings), metric, maximise, alpha_intervals=intervals, others_seen=gone
    )
    warnings = [*_unlike_the_search(recommended, known, intervals), *_others(gone), *_replanned(settings, confirming)]
    return replace(recommended, warnings=(*recommended.warnings, *warnings))


def _holds(response: Response, value: Any) -> bool:
    """Tell whether what a policy has is among what the search's curve finds as good as the best."""
    if response.interval is None or value is None:
        return False
    low, high = response.interval
    return low <= float(value) <= high


def _unlike_the_search(
    recommended: Recommendation, known: Mapping[str, tuple[Response, Any]], intervals: Mapping[str, Any]
) -> Iterator[str]:
    key = recommended.used.key
    if key not in known or key in intervals:
        return
    response, value = known[key]
    if response.interval is not None and value is not None:
        low, high = response.interval
        yield (
            f"the search's curve finds {response.parameter} from {low:.2g} to {high:.2g} as good as the best, and the "
            f"recommended {float(value):.2g} is not among them: search and fresh seeds disagree"
        )


def _others(gone: int) -> Iterator[str]:
    if gone:
        yield (
            f"{counted(gone, 'policy that is no finalist any more', 'policies that are no finalists any more')} had "
            "fresh seeds too, and somebody may have seen the scores: intervals and p-values allow for that"
        )


def _replanned(settings: Study | spec.StudySpec, confirming: optuna.Study | None) -> Iterator[str]:
    planned = settings.confirm.seeds if confirming is None else confirming.user_attrs.get("planned")
    if planned in {None, settings.confirm.seeds}:
        return
    yield (
        f"confirm.seeds was {planned} when the first seeds were trained and is {settings.confirm.seeds} now: intervals "
        "and p-values hold for a number that was fixed before anybody saw a score"
    )


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
    return of(settings_of(study), study, storage.confirmation_if_begun(study))


def read_responses(name: str) -> tuple[Response, ...]:
    """Return how a stored study's objective answers to alpha, for each method and distribution that it tried.

    Raises:
        UsageError: there is no such study, or it was begun before studies kept their file.
    """
    study = storage.load(name)
    return responses_of(settings_of(study), study)


def read_second_axes(name: str) -> tuple[SecondAxes, ...]:
    """Return what fresh seeds say of a stored study's candidates beside the objective; none before any was trained.

    Raises:
        UsageError: there is no such study, or it was begun before studies kept their file.
        ValueError: its search has not started a trial without mixing yet.
    """
    study = storage.load(name)
    confirming = storage.confirmation_if_begun(study)
    if confirming is None:
        return ()
    return second_axes(candidates_of(settings_of(study), study), tested(confirming))


def read_network(name: str) -> Path | None:
    """Return the file of the network that was trained on the first fresh seed by what a stored study recommends.

    It is for `tuner.trial.load_network`; None where nothing was trained on fresh seeds, or the file is gone. The seed
    is not chosen by its score, so the mean over the seeds is what to expect of it.

    Raises:
        UsageError: there is no such study, or it was begun before studies kept their file.
        ValueError: its search has not started a trial without mixing yet.
    """
    study = storage.load(name)
    confirming = storage.confirmation_if_begun(study)
    if confirming is None:
        return None
    settings = settings_of(study)
    return network_of(settings, confirming, of(settings, study, confirming).used)


def network_of(settings: Study, confirming: optuna.Study, used: Candidate) -> Path | None:
    """Return the file of the network that a candidate trained on the first fresh seed, if there is one."""
    wanted = used.key, fresh_seeds(settings)[0]
    numbers = [one.number for one in trainings(confirming) if training_of(one) == wanted]
    paths = [checkpoints.trained(checkpoints.last(confirming.study_name, number)) for number in numbers]
    return next((path for path in paths if path.is_file()), None)


def settings_of(study: optuna.Study) -> Study:
    """Return the settings of a stored study's file.

    Raises:
        UsageError: it was begun before studies kept their file.
    """
    source = study.user_attrs.get("source")
    if source is None:
        name = study.study_name
        raise UsageError(f"study {name} was begun by an earlier version, which did not keep its file; run it anew")
    return spec.settings(source)
