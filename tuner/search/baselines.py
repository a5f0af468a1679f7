"""Baselines: the settings that are always run, first and to the full budget, for the search to be judged by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from tuner import space
from tuner.mixing import METHODS
from tuner.space import Choice, Constant, Node, Section
from tuner.spec import StudySpec

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


def enqueue(spec: StudySpec, study: optuna.Study, blocks: Sequence[Mapping[str, Any]]) -> None:
    """Put the baselines, and for grid search every point, at the head of the study's queue.

    A baseline that the space could draw is enqueued as its parameters, so that the sampler learns from it.

    Raises:
        ValueError: a grid over a continuous range, or of more points than `search.trials`.
    """
    template = drawn_template(spec)
    for block in blocks:
        attributes: dict[str, Any] = {"baseline": True}
        try:
            parameters = space.parameters_of(template, {"mixing": block})
        except ValueError:
            parameters = {}
            attributes["mixing"] = json.dumps(block)
        study.enqueue_trial(parameters, user_attrs=attributes)
    if spec.search.sampler == "grid":
        points = space.grid(template)
        if len(points) > spec.search.trials:
            raise ValueError(f"the grid has {len(points)} points, more than search.trials: {spec.search.trials}")
        for point in points:
            study.enqueue_trial(point, skip_if_exists=True)


def _published(name: str) -> dict[str, Any] | None:
    facts = METHODS[name].facts
    return {"name": name, "ratio": dict(facts.published)} if facts.published else None


def _methods(mixing: Node | None) -> list[str]:
    if isinstance(mixing, Choice):
        return list(mixing.branches)
    name = mixing.entries.get("name") if isinstance(mixing, Section) else None
    return [str(name.value)] if isinstance(name, Constant) else []
