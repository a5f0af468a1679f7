"""Paired differences to the baseline on fresh seeds: estimate, simultaneous interval, p-value, effect size.

The test is the paired t test, two-sided. The same seed gives every policy the same initial weights, data order and
split, so what a seed does to all of them falls out of the difference. Accuracies are means over many images, so their
differences over seeds are near to normal, and then 3 to 10 pairs suffice. Tests by ranks or signs cannot decide with
so few: the smallest two-sided p-value of Wilcoxon's signed ranks is 2 / 2^n, 0.25 with 3 pairs and 0.0625 with 5,
before any correction.

Several finalists are compared with one baseline, so each interval is Bonferroni's, at 1 - (1 - confidence) / finalists,
and each p-value is multiplied by their number: with the stated confidence all intervals hold at once, whichever
finalist is then recommended and for whatever reason, and an interval excludes 0 exactly where its p-value is below
1 - confidence. Holm's p-values would be smaller for all but the smallest, but no interval agrees with them; whether
any finalist passes is the same by both. Dunnett's test wants independent groups with one variance; here the groups are
paired, and a method may widen the spread of its seeds. Two-sided, because "worse" is also an answer: so a policy that
does not help is called better in at most half of 1 - confidence.

Source: Student 1908; Dunn 1961 (Bonferroni intervals); Hedges 1981 and Lakens 2013, equation 7 (d_z).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scipy import special, stats

Scores = Mapping[int, float | None]
"""What one configuration scored, by seed; None or NaN: the training failed. A seed that is missing has not run."""

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """How much better a candidate is than the baseline: positive is better, in the metric's own unit.

    `low`, `high` and `p_value` hold for all `comparisons` at once. They are None with fewer than two pairs, and where
    all pairs differ by the same: no spread does not mean certainty, but that the seeds or the metric's steps show none.
    `effect_size` is Hedges' correction of d_z, the mean over the standard deviation of the differences.
    """

    pairs: int
    comparisons: int
    confidence: float
    estimate: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    effect_size: float | None = None

    @property
    def is_better(self) -> bool:
        """Tell whether the interval lies above 0."""
        return self.low is not None and self.low > 0

    @property
    def is_worse(self) -> bool:
        """Tell whether the interval lies below 0."""
        return self.high is not None and self.high < 0

    @property
    def is_constant(self) -> bool:
        """Tell whether there are pairs enough, but all differ by the same."""
        return self.pairs >= 2 and self.low is None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def usable(scores: Scores, maximise: bool) -> dict[int, float]:
    """Return the scores of the trainings that did not fail, turned so that larger is better."""
    sign = 1 if maximise else -1
    return {seed: sign * score for seed, score in scores.items() if score is not None and math.isfinite(score)}


def gains(candidate: Mapping[int, float], baseline: Mapping[int, float]) -> dict[int, float]:
    """Return the differences on the seeds that both have, in the order of the seeds.

    Equal up to rounding are made equal, so that a spread is one that was measured.
    """
    pairs = {seed: candidate[seed] - baseline[seed] for seed in sorted(candidate.keys() & baseline.keys())}
    size = max((max(abs(candidate[seed]), abs(baseline[seed])) for seed in pairs), default=0.0)
    first = next(iter(pairs.values()), 0.0)
    is_constant = all(abs(gain - first) <= 1e-12 * size for gain in pairs.values())
    return dict.fromkeys(pairs, first) if is_constant else pairs


def difference(gained: Mapping[int, float], comparisons: int = 1, confidence: float = CONFIDENCE) -> Difference:
    """Return what paired differences tell, as one of so many comparisons with the same baseline.

    Raises:
        ValueError: fewer than 1 comparison, or a confidence that is not between 0 and 1.
    """
    if comparisons < 1 or not 0 < confidence < 1:
        raise ValueError(f"wanted 1 comparison or more and 0 < confidence < 1, got {comparisons} and {confidence}")
    values = list(gained.values())
    known = Difference(len(values), comparisons, confidence)
    if not values:
        return known
    mean = statistics.fmean(values)
    if len(values) < 2 or is_constant(values):
        return Difference(len(values), comparisons, confidence, mean)
    test = stats.ttest_1samp(values, 0.0)
    interval = test.confidence_interval(1 - (1 - confidence) / comparisons)
    return Difference(
        len(values),
        comparisons,
        confidence,
        mean,
        standard_error(values),
        float(interval.low),
        float(interval.high),
        min(1.0, comparisons * float(test.pvalue)),
        _effect_size(values),
    )


def is_constant(values: Sequence[float]) -> bool:
    """Tell whether all values are the same."""
    return min(values) == max(values)


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of two values or more."""
    return statistics.stdev(values) / math.sqrt(len(values))


def _effect_size(values: Sequence[float]) -> float | None:
    """Return Hedges' d_z; None for two pairs, where the correction is 0 and says nothing."""
    freedom = len(values) - 1
    if freedom < 2:
        return None
    correction = math.exp(special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    return statistics.fmean(values) / statistics.stdev(values) * correction
