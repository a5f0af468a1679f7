"""What fresh seeds say of a policy beside the objective: likelihood, calibration, time, and each class's accuracy.

These are looked at, not chosen by: their intervals are corrected for the number of candidates (and for that of the
classes), but not for there being several axes.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tuner.selection.finalists import Candidate, Cost
from tuner.selection.statistics import Difference, difference, gains, usable
from tuner.selection.words import amount, interval

LARGER_IS_BETTER: Mapping[str, bool] = {"accuracy": True, "nll": False, "ece": False}
"""What every training on a fresh seed is scored by on the test split; accuracy and calibration error are shares."""

_NAMES = {"accuracy": "accuracy", "nll": "negative log-likelihood", "ece": "calibration error"}


@dataclass(frozen=True)
class Scored:
    """One training on a fresh seed: its scores on the test split, the accuracy of each class, seconds an epoch.

    A class of which the test split has no example has no accuracy: None.
    """

    scores: Mapping[str, float]
    classes: tuple[float | None, ...]
    seconds: float | None


@dataclass(frozen=True)
class Axis:
    """One score: its means, and the difference to no mixing, of which positive is better."""

    metric: str
    mean: float
    unmixed: float
    difference: Difference


@dataclass(frozen=True)
class SecondAxes:
    """What one candidate brings and costs; `slower` is how many times as long as no mixing's an epoch takes.

    `classes` has the difference of each class's accuracy to no mixing's, None where the test split has none of it.
    """

    key: str
    name: str
    axes: tuple[Axis, ...]
    classes: tuple[Difference | None, ...]
    seconds: float | None
    slower: float | None
    cost: Cost

    def axis(self, metric: str) -> Axis | None:
        """Return one score, where both it and no mixing have it."""
        return next((one for one in self.axes if one.metric == metric), None)

    def words(self) -> tuple[str, ...]:
        """Say each in a sentence; what cannot be told from no mixing is said to be so."""
        found = [_of_axis(self.name, one) for one in self.axes]
        if self.slower is not None:
            passes = self.cost.extra_forward + self.cost.extra_backward
            more = f", with up to {passes:g} more passes through the model a step" if passes else ""
            found.append(f"an epoch of {self.name} takes {self.slower:.2f} times as long as without mixing{more}")
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def second_axes(candidates: Sequence[Candidate], tested: Mapping[str, Mapping[int, Scored]]) -> tuple[SecondAxes, ...]:
    """Return what every mixed candidate brings and costs, by its trainings and the baseline's, by key and seed."""
    baseline = next(one for one in candidates if one.is_baseline)
    unmixed = tested.get(baseline.key, {})
    others = [one for one in candidates if not one.is_baseline]
    return tuple(_compared(one, tested.get(one.key, {}), unmixed, max(1, len(others))) for one in others)


def _compared(one: Candidate, own: Mapping[int, Scored], unmixed: Mapping[int, Scored], comparisons: int) -> SecondAxes:
    axes = []
    for metric, larger_is_better in LARGER_IS_BETTER.items():
        mixed, plain = (
            {seed: tested.scores[metric] for seed, tested in side.items() if metric in tested.scores}
            for side in (own, unmixed)
        )
        if mixed.keys() & plain.keys():
            gained = gains(usable(mixed, larger_is_better), usable(plain, larger_is_better))
            told = difference(gained, comparisons)
            axes.append(Axis(metric, statistics.fmean(mixed.values()), statistics.fmean(plain.values()), told))
    seconds, before = _seconds(own), _seconds(unmixed)
    slower = seconds / before if seconds is not None and before else None
    return SecondAxes(one.key, one.name, tuple(axes), _classes(own, unmixed, comparisons), seconds, slower, one.cost)


def _classes(
    own: Mapping[int, Scored], unmixed: Mapping[int, Scored], comparisons: int
) -> tuple[Difference | None, ...]:
    """Return each class's difference, as one of as many comparisons as there are classes and candidates."""
    number = max((len(tested.classes) for tested in own.values()), default=0)
    found: list[Difference | None] = []
    for index in range(number):
        mixed, plain = (
            {seed: tested.classes[index] for seed, tested in side.items() if index < len(tested.classes)}
            for side in (own, unmixed)
        )
        gained = gains(usable(mixed, maximise=True), usable(plain, maximise=True))
        found.append(difference(gained, comparisons * number) if gained else None)
    return tuple(found)


def _seconds(trainings: Mapping[int, Scored]) -> float | None:
    known = [one.seconds for one in trainings.values() if one.seconds is not None]
    return statistics.median(known) if known else None


def _of_axis(name: str, axis: Axis) -> str:
    what, told = _NAMES[axis.metric], axis.difference
    if told.estimate is None or told.low is None or told.high is None:
        return f"{what}: too few pairs of seeds to compare {name} with no mixing"
    between = interval(axis.metric, told.low, told.high)
    if not told.is_better and not told.is_worse:
        return f"{what}: {name} cannot be told from no mixing ({between}; plus is better)"
    how = "better" if told.is_better else "worse"
    return f"{what}: {name} is {how} by {amount(axis.metric, told.estimate)} ({between}; plus is better)"
