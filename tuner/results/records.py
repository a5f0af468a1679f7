"""The records that travel between the parts, as plain frozen values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

CLASSIFIED = ("val_accuracy", "val_nll", "val_ece")
REGRESSED = ("val_rmse", "val_mae", "val_r2")
"""What is measured each epoch where labels are classes, and where they are numbers."""

_SHARES = ("val_accuracy", "val_ece")
_ERRORS = ("val_rmse", "val_mae")


@dataclass(frozen=True)
class EpochMetrics:
    """What one epoch of training measured; validation is on unmixed examples.

    `val_accuracy` and `val_ece` are shares in [0, 1], `val_nll` and `train_loss` are nats an example. Of a regression
    there are `val_rmse` and `val_mae` in the target's unit and `val_r2` instead, and `train_loss` is of targets divided
    by their deviation; what is not measured is None. `examples_per_second` counts training examples over the training
    part of the epoch alone. `system` is what the trial used of its machine, by name; it is no part of what was trained.
    """

    epoch: int
    train_loss: float
    val_accuracy: float | None
    val_nll: float | None
    val_ece: float | None
    learning_rate: float
    examples_per_second: float
    seconds: float
    system: Mapping[str, float] = field(default_factory=dict, compare=False)
    val_rmse: float | None = None
    val_mae: float | None = None
    val_r2: float | None = None

    @classmethod
    def of(cls, epoch: int, values: Mapping[str, Any]) -> EpochMetrics:
        """Return the metrics of an epoch from those that were measured, by name."""
        return cls(epoch, **{**dict.fromkeys(CLASSIFIED), **values})

    def wrong(self) -> str:
        """Say what is missing, no number or out of range (NaN and infinity aside); empty where nothing is."""
        if type(self.epoch) is not int or self.epoch < 1:
            return f"epoch: wanted a whole number from 1, got {self.epoch!r}"
        for name, value in (dict.fromkeys(self._scored) | self.as_dict()).items():
            where = f"{name} at epoch {self.epoch}"
            if isinstance(value, bool) or not isinstance(value, int | float):
                return f"{where}: wanted a number, got {value!r}"
            if name in _SHARES and math.isfinite(value) and not 0 <= value <= 1:
                return f"{where}: wanted a share from 0 to 1, got {value}"
            if name in _ERRORS and math.isfinite(value) and value < 0:
                return f"{where}: wanted an error, which is not below 0, got {value}"
            if name == "val_r2" and math.isfinite(value) and value > 1:
                return f"{where}: wanted at most 1, got {value}"
        return ""

    def is_finite(self) -> bool:
        """Tell whether training is still sound: no loss is NaN or infinite."""
        measured = self.as_dict()
        return all(math.isfinite(measured[name]) for name in ("train_loss", *self._scored))

    def as_dict(self) -> dict[str, float]:
        """Return what was measured by name, without the epoch and what was used of the machine."""
        absent = {name for name in (*CLASSIFIED, *REGRESSED) if getattr(self, name) is None}
        return {name: value for name, value in vars(self).items() if name not in {"epoch", "system", *absent}}

    @property
    def _scored(self) -> tuple[str, ...]:
        """Return which scores there have to be."""
        return REGRESSED if any(getattr(self, name) is not None for name in REGRESSED) else CLASSIFIED


OBJECTIVES: Mapping[str, str] = {
    "val_accuracy": "max",
    "val_nll": "min",
    "val_ece": "min",
    "val_rmse": "min",
    "val_mae": "min",
    "val_r2": "max",
    "train_loss": "min",
}
"""The metrics a study can optimise, and the direction in which each is better."""


class TrialState(StrEnum):
    """Where a trial stands; `pruned` means stopped early by the scheduler."""

    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


class StudyState(StrEnum):
    """How a study ended, or that it runs, or waits for its turn on a cluster."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    OUT_OF_BUDGET = "out_of_budget"


@dataclass(frozen=True)
class TrialRecord:
    """One trial as the study's storage knows it.

    `params` is the resolved configuration, flat; `curve` is the objective after each epoch; `baseline`
    says that the trial was given, not drawn, and is never stopped early.
    """

    number: int
    state: TrialState
    cause: str
    params: Mapping[str, Any]
    curve: tuple[float, ...]
    metrics: Mapping[str, float]
    seed: int
    baseline: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    run_id: str | None = None

    @property
    def epochs(self) -> int:
        """Return how many epochs were trained and reported."""
        return len(self.curve)

    @cached_property
    def configuration(self) -> str:
        """Return what all trials of one configuration have in common, whatever their seeds."""
        return json.dumps(dict(self.config or self.params), sort_keys=True, default=str)

    def as_json(self) -> dict[str, Any]:
        """Return the record in the form that scripts rely on (DESIGN.md, section 4)."""
        return {
            "number": self.number,
            "state": self.state.value,
            "cause": self.cause,
            "params": dict(self.params),
            "epochs": self.epochs,
            "metrics": dict(self.metrics),
            "curve": list(self.curve),
            "seed": self.seed,
            "run_id": self.run_id,
            "baseline": self.baseline,
        }


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten a nested configuration to dotted names: `{"a": {"b": 1}}` gives `{"a.b": 1}`.

    A list of sections counts as one with the keys 0, 1 ...; a list of plain values is a value.
    """
    flat: dict[str, Any] = {}
    for name, value in config.items():
        path = f"{prefix}.{name}" if prefix else name
        section = _as_section(value)
        flat |= {path: value} if section is None else flatten(section, path)
    return flat


def _as_section(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        return {str(index): item for index, item in enumerate(value)}
    return value if isinstance(value, Mapping) else None
