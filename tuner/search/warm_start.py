"""Warm start: the trials of earlier studies, where they could have been this one's, for the sampler to learn from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FixedTrial, FrozenTrial
from optuna.trial import TrialState as OptunaState

from tuner import space, trial
from tuner.errors import ConfigError, Problem, UsageError
from tuner.results import flatten
from tuner.search import storage
from tuner.search.baselines import drawn_template
from tuner.search.modelled import distribution
from tuner.spec import StudySpec

_TAKEN_FROM = "taken_from"
_DONE = "warm_start"


def sources(spec: StudySpec) -> list[optuna.Study]:
    """Return the studies that `search.warm_start` names.

    Raises:
        StudyFileError: one that does not exist, or is this study itself.
    """
    found, problems = [], []
    for index, name in enumerate(spec.search.warm_start):
        try:
            if name == spec.name:
                raise UsageError("a study cannot start from itself")
            found.append(storage.load(name))
        except UsageError as error:
            problems.append(Problem(("search", "warm_start", index), str(error)))
    if problems:
        raise spec.failure(problems)
    return found


def is_missing(spec: StudySpec, study: optuna.Study) -> bool:
    """Tell whether the study has yet to be given the trials that it starts from."""
    return bool(spec.search.warm_start) and _DONE not in study.user_attrs


def add(spec: StudySpec, study: optuna.Study, others: Sequence[optuna.Study]) -> None:
    """Add the finished trials of other studies that agree with this one's space; nothing is trained again.

    What was added and what could not be, with reasons, is kept with the study (`words`).
    """
    template = drawn_template(spec)
    there = {one.user_attrs.get(_TAKEN_FROM) for one in study.get_trials(deepcopy=False)}
    said = []
    for other in others:
        refused: Counter[str] = Counter()
        taken = 0
        for frozen in other.get_trials(deepcopy=False):
            if not storage.is_started(frozen):
                continue
            origin = f"{other.study_name} {frozen.number}"
            copied = _copied(frozen, template, _objection(spec, other, frozen))
            if isinstance(copied, str):
                refused[copied] += 1
                continue
            taken += 1
            if origin not in there:
                copied.set_user_attr(_TAKEN_FROM, origin)
                study.add_trial(copied)
        said.append(_sentence(other.study_name, taken, refused))
    study.set_user_attr(_DONE, said)


def words(study: optuna.Study) -> tuple[str, ...]:
    """Return a sentence for each study that this one started from."""
    return tuple(study.user_attrs.get(_DONE, ()))


def _objection(spec: StudySpec, other: optuna.Study, frozen: FrozenTrial) -> str | None:
    metric = other.user_attrs.get("metric")
    if metric != spec.objective.metric:
        return f"optimised {metric}, not {spec.objective.metric}"
    if frozen.state not in {OptunaState.COMPLETE, OptunaState.PRUNED}:
        return "failed or not finished"
    return None


def _copied(frozen: FrozenTrial, template: space.Section, objection: str | None) -> FrozenTrial | str:
    """Return the trial as one of this study's space, or why it could not be."""
    if objection is not None:
        return objection
    config = json.loads(frozen.user_attrs["config"])
    try:
        parameters = space.parameters_of(template, space.spoken_of(template, config))
    except ConfigError as error:
        return error.problems[0].message
    drawn = json.loads(json.dumps(trial.resolve(space.suggest(FixedTrial(parameters), template))))
    if different := next(_differences(drawn, config), None):
        return different
    domains = space.domains(template)
    return optuna.trial.create_trial(
        state=frozen.state,
        value=frozen.value,
        params=parameters,
        distributions={name: distribution(domains[name]) for name in parameters},
        intermediate_values=frozen.intermediate_values,
    )


def _differences(drawn: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    ours, theirs = flatten(drawn), flatten(config)
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            yield f"{name} is {theirs.get(name)} there and {ours.get(name)} here"


def _sentence(name: str, taken: int, refused: Counter[str]) -> str:
    said = f"{taken} trials of study {name} inform the sampler"
    if not refused:
        return said
    reasons = "; ".join(f"{reason} ({count})" for reason, count in refused.most_common())
    return f"{said}, {refused.total()} do not: {reasons}"
