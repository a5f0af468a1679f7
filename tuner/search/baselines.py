"""Baselines: the settings that are always run, first and to the full budget, for the search to be judged by."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from tuner import space
from tuner.errors import ConfigError, Problem
from tuner.mixing import METHODS
from tuner.space import Choice, Constant, Node, Section
from tuner.spec import StudySpec

Queued = tuple[dict[str, Any], dict[str, Any]]
"""A trial to run first: its Optuna parameters and user attributes."""

_ENQUEUED = "enqueued"

NONE: Mapping[str, Any] = {"name": "none"}


def blocks(spec: StudySpec) -> list[dict[str, Any]]:
    """Return the mixing blocks to run first: no mixing, then what the study file asks for.

    `literature` stands for each method in the space at its published alpha.
    """
    wanted = spec.search.baselines
    if wanted == "none":
        given: list[dict[str, Any]] = []
    elif wanted == "literature":
        given = [published for name in _methods(spec.trial.entries.get("mixing")) if (published := _published(name))]
    else:
        given = [{"name": block} if isinstance(block, str) else dict(block) for block in wanted]
    return [dict(NONE), *(block for block in given if block != NONE)]


def drawn_template(spec: StudySpec) -> Section:
    """Return the space that the sampler draws from: without no mixing, where that could only repeat the baseline.

    No mixing always runs first. Drawing it again would find nothing new, unless something else is searched beside
    the mixing (a learning rate, say), or it is the only choice.
    """
    mixing = spec.trial.entries.get("mixing")
    rest = Section({key: node for key, node in spec.trial.entries.items() if key != "mixing"})
    if not isinstance(mixing, Choice) or space.is_searchable(rest) or set(mixing.branches) == {"none"}:
        return spec.trial
    branches = {name: branch for name, branch in mixing.branches.items() if name != "none"}
    return Section({**spec.trial.entries, "mixing": Choice(branches)})


def queue(spec: StudySpec) -> list[Queued]:
    """Return what runs first: the baselines, and for grid search every point that is not among them.

    A baseline that the space could draw comes as its parameters, so that the sampler learns from it. What the space
    searches beside the mixing is taken at the middle of its range.

    Raises:
        StudyFileError: a grid of more trials than `search.trials`.
    """
    template = drawn_template(spec)
    middle = space.middle(Section({key: node for key, node in template.entries.items() if key != "mixing"}))
    found = [_baseline(block, template, middle) for block in blocks(spec)]
    if spec.search.sampler == "grid":
        given = [parameters for parameters, _ in found]
        found += [(point, {}) for point in space.grid(template) if point not in given]
        wanted = len(found) * spec.search.seeds
        if wanted > spec.search.trials:
            message = f"the grid and its baselines make {wanted} trials, read {spec.search.trials}"
            advice = f"set it to {wanted} or make the grid smaller"
            raise spec.failure([Problem(("search", "trials"), f"{message}; {advice}")])
    return found


def enqueue(study: optuna.Study, queued: Sequence[Queued]) -> None:
    """Put the queue at the head of a study's, once; a driver that died half way through is continued."""
    if study.user_attrs.get(_ENQUEUED):
        return
    for parameters, attributes in queued[len(study.get_trials(deepcopy=False)) :]:
        study.enqueue_trial(parameters, user_attrs=attributes)
    study.set_user_attr(_ENQUEUED, True)


def _baseline(block: Mapping[str, Any], template: Section, middle: Mapping[str, Any]) -> Queued:
    """Return a baseline's parameters and attributes: with its block where the space could not draw it."""
    try:
        return {**middle, **space.parameters_of(template, {"mixing": block})}, {"baseline": True}
    except ConfigError:
        return dict(middle), {"baseline": True, "mixing": json.dumps(block)}


def _published(name: str) -> dict[str, Any] | None:
    """Return a method at its default ratio, which is its paper's; a switch is nobody's published setting."""
    if name in {"none", "switch"}:
        return None
    ratio = {one.name: copy.deepcopy(one.default) for one in METHODS[name].parameters if one.name == "ratio"}
    return {"name": name, **ratio}


def _methods(mixing: Node | None) -> list[str]:
    if isinstance(mixing, Choice):
        return list(mixing.branches)
    name = mixing.entries.get("name") if isinstance(mixing, Section) else None
    return [str(name.value)] if isinstance(name, Constant) else []
