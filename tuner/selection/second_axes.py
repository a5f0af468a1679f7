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
from tuner.selection.words import amount, gain, interval

LARGER_IS_BETTER: Mapping[str, bool] = {
    "accuracy": True,
    "nll": False,
    "ece": False,
    "rmse": False,
    "mae": False,
    "r2": True,
}
"""What a training on a fresh seed is scored by on the test split, by classes or by numbers."""

_AGREE = 2.0
"""By how much two seeds' ratios of time may differ and still tell something."""

_NAMES = {
    "accuracy": "accuracy",
    "nll": "negative log-likelihood",
    "ece": "calibration error",
    "rmse": "root mean squared error",
    "mae": "mean absolute error",
    "r2": "R²",
}


@dataclass(frozen=True)
class Scored:
    """One training on a fresh seed: its scores on the test split, the accuracy of each class, seconds an epoch.

    A class of which the test split has no example has no accuracy: None. The seconds are without the first epoch, in
    which data is loaded and code compiled; None where there was no other.
    """

    scores: Mapping[str, float]
    classes: tuple[float | None, ...]
    seconds: float | None


@dataclass(frozen=True)
class Axis:
    """One score: its mean and no mixing's, over the seeds that both have, and the difference: positive is better."""

    metric: str
    mean: float
    unmixed: float
    difference: Difference


@dataclass(frozen=True)
class SecondAxes:
    """What one candidate brings and costs.

    `seconds` and `unmixed_seconds` are the medians of an epoch's over the seeds that both have. `slower` is how many
    times as long as no mixing's an epoch takes: the least and the most of the seeds, none where fewer than two tell.
    `classes` has the difference of each class's accuracy to no mixing's, None where the test split has none of it.
    """

    key: str
    name: str
    axes: tuple[Axis, ...]
    classes: tuple[Difference | None, ...]
    seconds: float | None
    unmixed_seconds: float | None
    slower: tuple[float, float] | None
    cost: Cost

    def axis(self, metric: str) -> Axis | None:
        """Return one score, where both it and no mixing have it."""
        return next((one for one in self.axes if one.metric == metric), None)

    def words(self) -> tuple[str, ...]:
        """Say each in a sentence; what cannot be told from no mixing is said to be so."""
        found = [_of_axis(self.name, one) for one in self.axes]
        if self.seconds is not None:
            passes = self.cost.extra_forward + self.cost.extra_backward
            more = f", with up to {passes:g} more passes through the model a step" if passes else ""
            found.append(f"{_of_time(self.name, self.slower)}{more}")
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
        mixed, plain = usable(mixed, maximise=True), usable(plain, maximise=True)
        both = sorted(mixed.keys() & plain.keys())
        if both:
            sign = 1 if larger_is_better else -1
            gained = gains(*({seed: sign * side[seed] for seed in both} for side in (mixed, plain)))
            mean, unmixed_mean = (statistics.fmean(side[seed] for seed in both) for side in (mixed, plain))
            axes.append(Axis(metric, mean, unmixed_mean, difference(gained, comparisons)))
    timed = [(own[seed].seconds, unmixed[seed].seconds) for seed in sorted(own.keys() & unmixed.keys())]
    pairs = [(mixed, plain) for mixed, plain in timed if mixed is not None and plain]
    seconds, before = (statistics.median(side) for side in zip(*pairs, strict=True)) if pairs else (None, None)
    ratios = [mixed / plain for mixed, plain in pairs]
    slower = (min(ratios), max(ratios)) if len(ratios) > 1 else None
    by_class = _classes(own, unmixed, comparisons)
    return SecondAxes(one.key, one.name, tuple(axes), by_class, seconds, before, slower, one.cost)


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


def _of_axis(name: str, axis: Axis) -> str:
    what, told = _NAMES[axis.metric], axis.difference
    if told.is_constant and told.estimate is not None:
        return f"{what}: {name} differs from no mixing by the same on {told.pairs} seeds, {_same(axis)}"
    if told.estimate is None or told.low is None or told.high is None:
        return f"{what}: too few pairs of seeds to compare {name} with no mixing"
    between = interval(axis.metric, told.low, told.high)
    if not told.is_better and not told.is_worse:
        return f"{what}: {name} cannot be told from no mixing ({between}; plus is better)"
    how = "better" if told.is_better else "worse"
    return f"{what}: {name} is {how} by {amount(axis.metric, told.estimate)} ({between}; plus is better)"


def _same(axis: Axis) -> str:
    return f"{gain(axis.metric, axis.difference.estimate or 0.0)}: no spread, so no certainty"


def _of_time(name: str, slower: tuple[float, float] | None) -> str:
    """Say what mixing costs in time: trainings share the machine, so seeds that disagree tell nothing."""
    if slower is None:
        return f"time: too few pairs of seeds to compare an epoch of {name} with one without mixing"
    low, high = slower
    ratios = f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"
    between = f"{ratios} times as long as without mixing on the same seed"
    if low <= 1 <= high or high > _AGREE * low:
        return f"time: it cannot be told what {name} costs; an epoch took {between}"
    return f"time: an epoch of {name} takes {between}"
