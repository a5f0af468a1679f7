"""Baselines: the settings that are always run, first and to the full budget, for the search to be judged by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import optuna

from tuner import space
from tuner.errors import ConfigError
from tuner.mixing import METHODS
from tuner.space import Choice, Constant, Node, Section
from tuner.spec import StudySpec

_ENQUEUED = "enqueued"

NONE: Mapping[str, Any] = {"name": "none"}


def blocks(spec: StudySpec) -> list[dict[str, Any]]:
    """Return the mixing blocks to run first: no mixing, then what the study file asks for.

    `literature` stands for the published setting of each method in the space (mixing-methods, section 4.4).
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


def enqueue(spec: StudySpec, study: optuna.Study) -> None:
    """Put the baselines, and for grid search every point, at the head of the study's queue, once.

    A baseline that the space could draw is enqueued as its parameters, so that the sampler learns from it. A driver
    that died half way through is continued where it stopped.

    Raises:
        ValueError: a grid over a continuous range, or of more points than `search.trials`.
    """
    if study.user_attrs.get(_ENQUEUED):
        return
    queue = [_baseline(block, drawn_template(spec)) for block in blocks(spec)]
    if spec.search.sampler == "grid":
        given = [parameters for parameters, _ in queue]
        queue += [(point, {}) for point in space.grid(drawn_template(spec)) if point not in given]
        if len(queue) > spec.search.trials:
            raise ValueError(f"the grid has {len(queue)} trials, more than search.trials: {spec.search.trials}")
    for parameters, attributes in queue[len(study.get_trials(deepcopy=False)) :]:
        study.enqueue_trial(parameters, user_attrs=attributes)
    study.set_user_attr(_ENQUEUED, True)


def _baseline(block: Mapping[str, Any], template: Section) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a baseline's parameters and attributes: with its block where the space could not draw it."""
    try:
        return dict(space.parameters_of(template, {"mixing": block})), {"baseline": True}
    except ConfigError:
        return {}, {"baseline": True, "mixing": json.dumps(block)}


def _published(name: str) -> dict[str, Any] | None:
    facts = METHODS[name].facts
    return {"name": name, "ratio": dict(facts.published)} if facts.published else None


def _methods(mixing: Node | None) -> list[str]:
    if isinstance(mixing, Choice):
        return list(mixing.branches)
    name = mixing.entries.get("name") if isinstance(mixing, Section) else None
    return [str(name.value)] if isinstance(name, Constant) else []
