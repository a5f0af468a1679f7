"""The middle of a space: what a baseline takes for everything that is searched beside its mixing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tuner.space.draw import suggest
from tuner.space.nodes import Label, Section


def middle(template: Section) -> dict[str, Label]:
    """Return the Optuna parameters at the middle of each range, and the first of each choice and list of values."""
    trial = _Middle()
    suggest(trial, template)
    return trial.parameters


def at_middle(template: Section) -> dict[str, Any]:
    """Return the configuration that `middle`'s parameters draw."""
    return suggest(_Middle(), template)


class _Middle:
    """Answers for an Optuna trial with the middle of whatever it is asked for."""

    def __init__(self) -> None:
        self.parameters: dict[str, Label] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        value = math.sqrt(low * high) if log else (low + high) / 2
        if step is not None:
            value = low + round((value - low) / step) * step
        self.parameters[name] = value
        return value

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        value = round(math.sqrt(low * high)) if log else low + (high - low) // 2 // step * step
        self.parameters[name] = value
        return value

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.parameters[name] = choices[0]
        return choices[0]
