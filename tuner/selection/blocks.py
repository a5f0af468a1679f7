"""Differences of a grid's points to its baseline, with one spread for all: what few seeds can tell of many points.

Each point is trained on the same seeds, so a value is taken as its point's mean plus its seed's effect plus noise, the
seeds being the blocks. The noise is estimated from all points together: of 10 points on 3 seeds with 18 degrees of
freedom, where the paired t test has 2 for each, and intervals four times as wide. The price is an assumption, that the
noise of all points is alike; `selection.statistics`, by which policies are recommended, does not make it.

Source: Fisher 1935, The Design of Experiments (randomised blocks); Dunn 1961 (Bonferroni intervals).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from tuner.selection.statistics import CONFIDENCE, Difference

_NOISELESS = 1e-12
"""A spread that is this share of the values is of rounding, not of noise."""


def blocked(
    points: Sequence[Mapping[int, float]], baseline: int, confidence: float = CONFIDENCE
) -> list[Difference | None]:
    """Return how much better each point is than the one at index `baseline`, which gets None; larger values are better.

    A point is its values by seed; seeds may be missing. The intervals hold for all points at once. They are None where
    the values leave no degree of freedom for the noise, or show none.
    """
    seeds = sorted({seed for values in points for seed in values})
    rows = [(index, seeds.index(seed), value) for index, values in enumerate(points) for seed, value in values.items()]
    if not points[baseline]:
        return [None] * len(points)
    comparisons = max(1, sum(bool(values) for values in points) - 1)
    design, measured = _design(rows, len(points), len(seeds)), np.array([value for *_, value in rows])
    effects, _, rank, _ = np.linalg.lstsq(design, measured, rcond=None)
    freedom = len(measured) - int(rank)
    inverse = np.linalg.pinv(design.T @ design)
    noise = float(np.sum((measured - design @ effects) ** 2)) / freedom if freedom else 0.0
    spread = math.sqrt(noise)
    is_told = freedom > 0 and spread > _NOISELESS * float(np.abs(measured).max())
    found: list[Difference | None] = []
    for index, values in enumerate(points):
        pairs = len(values.keys() & points[baseline].keys())
        if index == baseline:
            found.append(None)
        elif not values or not pairs:
            found.append(Difference(0, comparisons, confidence))
        else:
            contrast = np.zeros(design.shape[1])
            contrast[index], contrast[baseline] = 1.0, -1.0
            estimate = float(contrast @ effects)
            error = spread * math.sqrt(float(contrast @ inverse @ contrast))
            told = _interval(estimate, error, freedom, comparisons, confidence) if is_told else {}
            found.append(Difference(pairs, comparisons, confidence, estimate, **told))
    return found


def _interval(estimate: float, error: float, freedom: int, comparisons: int, confidence: float) -> dict[str, float]:
    reach = float(stats.t.isf((1 - confidence) / (2 * comparisons), freedom)) * error
    p_value = min(1.0, comparisons * 2 * float(stats.t.sf(abs(estimate) / error, freedom)))
    return {"standard_error": error, "low": estimate - reach, "high": estimate + reach, "p_value": p_value}


def _design(rows: Sequence[tuple[int, int, float]], points: int, seeds: int) -> np.ndarray:
    """Return a row for each value: ones at its point and at its seed, the first seed being what all start from."""
    design = np.zeros((len(rows), points + seeds - 1))
    for place, (point, seed, _) in enumerate(rows):
        design[place, point] = 1.0
        if seed:
            design[place, points + seed - 1] = 1.0
    return design
