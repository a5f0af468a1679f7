"""Draw a plain configuration from a template with an Optuna trial."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from tuner.errors import Path, dotted
from tuner.space.nodes import AnyOf, Choice, Constant, Items, Label, Node, Range, Section


@runtime_checkable
class Trial(Protocol):
    """What is asked of an Optuna trial."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a real number from `low` to `high`."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return a whole number from `low` to `high`."""

    def suggest_categorical(self, name: str, choices: Sequence[Label]) -> Label:
        """Return one of `choices`."""


def suggest(trial: Trial, template: Section) -> dict[str, Any]:
    """Return a plain configuration drawn by `trial`; a drawn choice becomes `{name: branch, **leaves}`.

    Parameters are named by their dotted path with the branches drawn on the way (`mixing.mixup.ratio.beta.alpha`), so
    that no two branches share a name with different ranges.
    """
    return {key: _drawn(trial, child, (key,)) for key, child in template.entries.items()}


def _drawn(trial: Trial, node: Node, name: Path) -> Any:
    match node:
        case Constant(value):
            return value
        case Section(entries):
            return {key: _drawn(trial, child, (*name, key)) for key, child in entries.items()}
        case Items(nodes):
            return [_drawn(trial, child, (*name, index)) for index, child in enumerate(nodes)]
        case Choice(branches):
            branch = str(trial.suggest_categorical(dotted(name), tuple(branches)))
            return {"name": branch, **_drawn(trial, branches[branch], (*name, branch))}
        case AnyOf(values):
            label = trial.suggest_categorical(dotted(name), node.labels)
            return copy.deepcopy(values[node.labels.index(label)])
        case Range():
            return _number(trial, node, dotted(name))


def _number(trial: Trial, domain: Range, name: str) -> int | float:
    low, high, step = domain.low, domain.top, domain.step
    if domain.integers:
        return trial.suggest_int(name, int(low), int(high), step=1 if step is None else int(step), log=domain.log)
    return trial.suggest_float(
        name, float(low), float(high), step=None if step is None else float(step), log=domain.log
    )
