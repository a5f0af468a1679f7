"""Differences between a grid's points, with one spread for all: what few seeds can tell of many points.

Each point is trained on the same seeds, so a value is taken as its point's mean plus its seed's effect plus noise, the
seeds being the blocks. The noise is estimated from all points together: of 10 points on 3 seeds with 18 degrees of
freedom, where the paired t test has 2 for each, and intervals four times as wide. The price is an assumption, that the
noise of all points is alike; `selection.statistics`, by which policies are recommended, does not make it.

Source: Fisher 1935, The Design of Experiments (randomised blocks); Dunn 1961 (Bonferroni intervals, to the baseline);
Tukey 1953 and Kramer 1956 (the studentized range, all against all).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy import stats

from tuner.selection.statistics import CONFIDENCE, Difference

_NOISELESS = 1e-12
"""A spread that is this share of the values is of rounding, not of noise."""

Points = Sequence[Mapping[int, float]]
"""Each point's values by seed, larger being better; seeds may be missing."""


def blocked(points: Points, baseline: int, confidence: float = CONFIDENCE) -> list[Difference | None]:
    """Return how much better each point is than the one at index `baseline`, which gets None.

    The intervals hold for all points at once. They are None where the values leave no degree of freedom for the noise,
    or show none.
    """
    if not points[baseline]:
        return [None] * len(points)
    fitted, comparisons = _fit(points), max(1, _trained(points) - 1)
    reach = stats.t.isf((1 - confidence) / (2 * comparisons), fitted.freedom) if fitted.tells else math.nan
    found: list[Difference | None] = []
    for at in range(len(points)):
        if at == baseline:
            found.append(None)
            continue
        told = _difference(fitted, points, (at, baseline), Difference(0, comparisons, confidence), reach)
        if told.estimate is not None and told.standard_error is not None:
            ratio = abs(told.estimate) / told.standard_error
            told = replace(told, p_value=min(1.0, comparisons * 2 * float(stats.t.sf(ratio, fitted.freedom))))
        found.append(told)
    return found


def all_pairs(points: Points, confidence: float = CONFIDENCE) -> list[list[Difference | None]]:
    """Return how much better each point (the row) is than each other (the column); None on the diagonal.

    The intervals hold for all pairs at once, and so are wider than those of `blocked`; None as there. P-values of the
    studentized range take a tenth of a second each, so there are none.
    """
    fitted, trained = _fit(points), _trained(points)
    of_all = Difference(0, trained * (trained - 1) // 2, confidence)
    reach = stats.studentized_range.isf(1 - confidence, trained, fitted.freedom) / math.sqrt(2) if fitted.tells else 0.0
    at = range(len(points))
    return [
        [None if one == other else _difference(fitted, points, (one, other), of_all, reach) for other in at]
        for one in at
    ]


@dataclass(frozen=True)
class _Fitted:
    """The points' means and the seeds' effects, with the noise around them; `inverse` is of the design's square."""

    effects: Float[np.ndarray, " unknowns"]
    inverse: Float[np.ndarray, "unknowns unknowns"]
    spread: float
    freedom: int
    tells: bool


def _fit(points: Points) -> _Fitted:
    seeds = sorted({seed for values in points for seed in values})
    rows = [(index, seeds.index(seed), value) for index, values in enumerate(points) for seed, value in values.items()]
    design, measured = _design(rows, len(points), len(seeds)), np.array([value for *_, value in rows])
    effects, _, rank, _ = np.linalg.lstsq(design, measured, rcond=None)
    freedom = len(measured) - int(rank)
    spread = math.sqrt(float(np.sum((measured - design @ effects) ** 2)) / freedom) if freedom else 0.0
    tells = freedom > 0 and spread > _NOISELESS * float(np.abs(measured).max())
    return _Fitted(effects, np.linalg.pinv(design.T @ design), spread, freedom, tells)


def _difference(fitted: _Fitted, points: Points, pair: tuple[int, int], of_all: Difference, reach: float) -> Difference:
    """Return how much better the first of a pair is; `reach` is the interval's half width in standard errors."""
    one, other = pair
    known = replace(of_all, pairs=len(points[one].keys() & points[other].keys()))
    if not known.pairs:
        return known
    contrast = np.zeros(len(fitted.effects))
    contrast[one], contrast[other] = 1.0, -1.0
    estimate = float(contrast @ fitted.effects)
    if not fitted.tells:
        return replace(known, estimate=estimate)
    error = fitted.spread * math.sqrt(float(contrast @ fitted.inverse @ contrast))
    low, high = estimate - float(reach) * error, estimate + float(reach) * error
    return replace(known, estimate=estimate, standard_error=error, low=low, high=high)


def _trained(points: Points) -> int:
    return sum(bool(values) for values in points)


def _design(rows: Sequence[tuple[int, int, float]], points: int, seeds: int) -> np.ndarray:
    """Return a row for each value: ones at its point and at its seed, the first seed being what all start from."""
    design = np.zeros((len(rows), points + seeds - 1))
    for place, (point, seed, _) in enumerate(rows):
        design[place, point] = 1.0
        if seed:
            design[place, points + seed - 1] = 1.0
    return design
