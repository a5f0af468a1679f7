"""Baselines: the settings that are always run, first and to the full budget, for the search to be judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def _published(name: str) -> dict[str, Any] | None:
    facts = METHODS[name].facts
    return {"name": name, "ratio": dict(facts.published)} if facts.published else None


def _methods(mixing: Node | None) -> list[str]:
    if isinstance(mixing, Choice):
        return list(mixing.branches)
    name = mixing.entries.get("name") if isinstance(mixing, Section) else None
    return [str(name.value)] if isinstance(name, Constant) else []
