"""The points of a grid, each with its mean over the seeds and what that is against no mixing on the same seeds.

For studies whose question is a curve or a table, not which point is best: every point is compared with no mixing on
the same seeds, the noise being estimated from all points together, and the intervals hold for all points at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuner.results import OverSeeds, TrialRecord, over_seeds, seeds_of, unmixed_baseline
from tuner.selection.blocks import all_pairs, blocked
from tuner.selection.observations import varying
from tuner.selection.statistics import Difference
from tuner.selection.words import counted

_WIDE = 10
"""A range that spans this factor is drawn on a logarithmic axis."""


@dataclass(frozen=True)
class GridPoint:
    """One configuration; `place` is its value of the axis, where the grid has one axis of numbers.

    `against` is its difference to no mixing, positive is better; None of no mixing itself.
    """

    known: OverSeeds
    place: float | None
    against: Difference | None


@dataclass(frozen=True)
class Grid:
    """All points that ran to the end, and no mixing, which the others are compared with: the study's own baseline.

    It is not the best without mixing, where there are several: picked for being good, that would look too good.
    `axis` is the one setting, a number, in which the mixed points differ; None where they differ in several or in
    something else. `settings` are those in which any points differ. `pairs` has in row i and column j how much better
    point i is than point j.
    """

    points: tuple[GridPoint, ...]
    unmixed: OverSeeds | None
    axis: str | None
    settings: tuple[str, ...]
    pairs: tuple[tuple[Difference | None, ...], ...] = ()

    @property
    def is_logarithmic(self) -> bool:
        """Tell whether the axis spans so much that its logarithm is what counts."""
        places = [one.place for one in self.points if one.place is not None]
        return bool(places) and min(places) > 0 and max(places) >= _WIDE * min(places)

    def told_apart(self) -> int:
        """Return how many pairs of points differ by more than the noise explains."""
        return sum(one is not None and one.is_better for row in self.pairs for one in row)

    def best_mixed(self, *, maximise: bool) -> int | None:
        """Return the index of the mixed point with the best mean."""
        mixed = [at for at, one in enumerate(self.points) if one.known.first.params.get("mixing.name") != "none"]
        sign = 1 if maximise else -1
        return max(mixed, key=lambda at: sign * self.points[at].known.mean, default=None)

    def like(self, index: int) -> list[int]:
        """Return the other points that are not told from one, in the grid's order."""
        across = self.pairs[index]
        return [at for at, one in enumerate(across) if one is not None and not (one.is_better or one.is_worse)]


def grid_points(trials: Sequence[TrialRecord], *, maximise: bool) -> Grid:
    """Return the points of a study's grid, in the order in which they were first trained."""
    groups = over_seeds(trials)
    unmixed = _unmixed(groups) or seeds_of(unmixed_baseline(trials, maximise), trials)
    mixed = [one for one in groups if one.first.params.get("mixing.name") != "none"]
    axis = _axis([one.first for one in mixed])
    sign, points = 1 if maximise else -1, []
    values = [{trial.seed: sign * value for trial, value in zip(one.trials, one.values, strict=True)} for one in groups]
    for one, told in zip(groups, _against(groups, values, unmixed), strict=True):
        place = None if axis is None else one.first.params.get(axis)
        points.append(GridPoint(one, None if place is None else float(place), told))
    pairs = tuple(map(tuple, all_pairs(values))) if groups else ()
    return Grid(tuple(points), unmixed, axis, varying([one.first for one in groups]), pairs)


def in_short(grid: Grid) -> str:
    """Say how many points are better and worse than no mixing, or than the baseline where several do without.

    Empty where no intervals tell.
    """
    told = [one.against for one in grid.points if one.against is not None and one.against.low is not None]
    if not told:
        return ""
    better, worse = sum(one.is_better for one in told), sum(one.is_worse for one in told)
    unclear = len(told) - better - worse
    several = sum(one.known.first.params.get("mixing.name") == "none" for one in grid.points) > 1
    baseline = "the baseline without mixing" if several else "no mixing"
    found = f"of {counted(len(told), 'point')} {_are(better)} better than {baseline} and {_are(worse)} worse"
    return f"{found}; {unclear} cannot be told from it" if unclear else found


def published_of(params: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the first published row that is of a point: all settings that it names are the point's."""
    return next((row for row in rows if all(_same(params.get(key), own) for key, own in row["where"].items())), None)


def _are(number: int) -> str:
    return f"{number or 'none'} {'are' if number > 1 else 'is'}"


def _unmixed(groups: Sequence[OverSeeds]) -> OverSeeds | None:
    unmixed = [one for one in groups if one.first.params.get("mixing.name") == "none"]
    return next((one for one in unmixed if one.first.baseline), None)


def _axis(mixed: Sequence[TrialRecord]) -> str | None:
    names = varying(mixed)
    values = [trial.params.get(names[0]) for trial in mixed] if len(names) == 1 else []
    is_number = all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)
    return names[0] if values and is_number else None


def _against(
    groups: Sequence[OverSeeds], values: Sequence[Mapping[int, float]], unmixed: OverSeeds | None
) -> list[Difference | None]:
    baseline = next((at for at, one in enumerate(groups) if unmixed and one.first.number == unmixed.first.number), None)
    return [None] * len(groups) if baseline is None else blocked(values, baseline)


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, default=str) == json.dumps(other, default=str)
