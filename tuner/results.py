"""The records that travel between the parts, as plain frozen values."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True)
class OverSeeds:
    """One configuration's trials that ran to the end, of one seed or several: what it is compared by is their mean."""

    trials: tuple[TrialRecord, ...]

    @property
    def first(self) -> TrialRecord:
        """Return the trial that stands for the configuration."""
        return self.trials[0]

    def has(self, trial: TrialRecord) -> bool:
        """Tell whether a trial is one of these."""
        return any(one.number == trial.number for one in self.trials)

    @property
    def values(self) -> tuple[float, ...]:
        """Return the last value of each trial."""
        return tuple(trial.curve[-1] for trial in self.trials)

    @property
    def mean(self) -> float:
        """Return the mean of the last values."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Return the standard deviation between seeds; None of one."""
        return statistics.stdev(self.values) if len(self.trials) > 1 else None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"mean": self.mean, "spread": self.spread, "seeds": [trial.seed for trial in self.trials]}

    def averaged(self) -> TrialRecord:
        """Return the first trial with the curve that is the mean of all."""
        curves = zip(*(trial.curve for trial in self.trials), strict=False)
        return replace(self.first, curve=tuple(map(statistics.fmean, curves)))


@dataclass(frozen=True)
class StudyResult:
    """How a study ended: its trials, the best of those that ran to the end, and the no-mixing baseline.

    Trials that were stopped early never count as best: their last value is not that of a whole training.
    `recommendation` is what fresh seeds made of it (DESIGN.md, section 4), none before they were trained. `network` is
    the file of the best trial's trained network, for `tuner.trial.load_network`; None where there is none.
    """

    study: str
    state: StudyState
    trials: tuple[TrialRecord, ...]
    best: TrialRecord | None
    baseline: TrialRecord | None
    seconds: float
    tracking: Mapping[str, str | None] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    recommendation: Mapping[str, Any] | None = None
    network: str | None = None

    @property
    def epochs_trained(self) -> int:
        """Return the epochs of all trials."""
        return sum(trial.epochs for trial in self.trials)

    def over_seeds(self, trial: TrialRecord | None) -> OverSeeds | None:
        """Return all of the trial's seeds that ran to the end; None where none did."""
        return seeds_of(trial, self.trials)

    def counts(self) -> dict[str, int]:
        """Return how many trials are complete, pruned and failed."""
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAILED)
        return {state.value: sum(trial.state is state for trial in self.trials) for state in states}

    def as_json(self) -> dict[str, Any]:
        """Return the result in the form that scripts rely on (DESIGN.md, section 4)."""
        return {
            "study": self.study,
            "state": self.state.value,
            "trials": self.counts(),
            "best": self._as_json(self.best),
            "baseline": self._as_json(self.baseline),
            "network": self.network,
            "seconds": round(self.seconds, 3),
            "epochs_trained": self.epochs_trained,
            "tracking": dict(self.tracking),
            "warnings": list(self.warnings),
            "recommendation": None if self.recommendation is None else dict(self.recommendation),
        }

    def _as_json(self, trial: TrialRecord | None) -> dict[str, Any] | None:
        if trial is None:
            return None
        known = self.over_seeds(trial)
        return trial.as_json() | {"over_seeds": None if known is None else known.as_json()}


def over_seeds(trials: Sequence[TrialRecord]) -> list[OverSeeds]:
    """Return every configuration whose trials, of one seed or several, ran to the end, in the order of the trials."""
    return _grouped([trial for trial in trials if trial.state is TrialState.COMPLETE])


def between_seeds(trials: Sequence[TrialRecord]) -> float | None:
    """Return the standard deviation between the seeds of a configuration, pooled over all; None where each has one."""
    several = [one.values for one in over_seeds(trials) if len(one.trials) > 1]
    if not several:
        return None
    squares = sum((len(values) - 1) * statistics.variance(values) for values in several)
    return math.sqrt(squares / sum(len(values) - 1 for values in several))


def averaged(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return one trial for each configuration that ended well or was stopped, with the mean of its seeds' curves.

    A mean goes as far as all of the seeds. Of a configuration that was stopped on some of them the others count.
    """
    complete = over_seeds(trials)
    known = {group.first.configuration for group in complete}
    others = [one for one in trials if one.state is not TrialState.COMPLETE and one.configuration not in known]
    stopped = _grouped([one for one in others if one.state is TrialState.PRUNED and one.curve])
    return sorted((one.averaged() for one in (*complete, *stopped)), key=lambda one: one.number)


def seeds_of(trial: TrialRecord | None, trials: Sequence[TrialRecord]) -> OverSeeds | None:
    """Return those trials of one trial's configuration that ran to the end; None where none did."""
    return next((group for group in over_seeds(trials) if trial is not None and group.has(trial)), None)


def best_of(trials: Sequence[TrialRecord], maximise: bool) -> TrialRecord | None:
    """Return the first trial of the configuration with the best last value, the earliest of equals.

    Trials that ran to the end count; where a configuration has several seeds, by the mean over them.
    """
    sign = 1 if maximise else -1
    best = max(over_seeds(trials), key=lambda one: (sign * one.mean, -one.first.number), default=None)
    return None if best is None else best.first


def unmixed_baseline(trials: Sequence[TrialRecord], maximise: bool) -> TrialRecord | None:
    """Return what mixing has to beat: the best complete trial without mixing, or the given one while none is.

    There are several where something else is searched beside the mixing, and then the best of them is the fair one.
    """
    unmixed = [trial for trial in trials if trial.params.get("mixing.name") == "none"]
    return best_of(unmixed, maximise) or next((trial for trial in unmixed if trial.baseline), None)


def _grouped(trials: Sequence[TrialRecord]) -> list[OverSeeds]:
    """Return trials of one configuration together, as long as their seeds differ."""
    groups: dict[tuple[str, int], dict[int, TrialRecord]] = {}
    for trial in sorted(trials, key=lambda one: one.number):
        key, place = trial.configuration, 0
        while trial.seed in groups.get((key, place), {}):
            place += 1
        groups.setdefault((key, place), {})[trial.seed] = trial
    return [OverSeeds(tuple(group.values())) for group in groups.values()]


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
