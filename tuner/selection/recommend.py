"""The verdict: use this policy, or no mixing, with the reasons.

`use`: the interval of the recommended policy lies above 0, for all finalists at once, on all planned seeds.
`no_evidence`: all seeds have run, and no finalist can be told from no mixing; or one is worse, as the search had seen.
`not_confirmed`: the search's gain has not been put to the test yet, or not to its end; or fresh seeds say the reverse,
with the interval below 0. While seeds are still to run the verdict is never `use`, however it looks: who stops when it
looks good is wrong more often than the confidence says.

Simulated (tests/benchmarks/recommend.py, 500 studies each, 3 finalists and the published setting, pairing the
correlation of two policies' scores on one seed): where nothing helps, `use` in 2.4 % at pairing 0 and 2.6 % at 0.8, and
in 1.8 % to 2.6 % with 3 or 10 seeds. Where one method gains 5 deviations of a seed, `use` in 99.8 % and 100 %, and the
interval covers that in 98.0 % and 98.6 %. Three seeds are few: 56 % and 98 %. A gain of 2 deviations is found in 47 %
and 99 %.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tuner.selection.choice import preferred, worth
from tuner.selection.confirmed import Confirmation, Confirmed, confirmation
from tuner.selection.finalists import Candidate
from tuner.selection.reasons import reasons_for, warnings_of
from tuner.selection.statistics import CONFIDENCE, Scores
from tuner.selection.words import unit


class Verdict(StrEnum):
    """What a study came to."""

    USE = "use"
    NO_EVIDENCE = "no_evidence"
    NOT_CONFIRMED = "not_confirmed"


@dataclass(frozen=True)
class Effect:
    """How much better a policy is than no mixing: positive is better, whichever way the metric goes.

    `estimate` is corrected for the choice among the finalists, `uncorrected` is the plain mean, to which the interval
    and the p-value belong; both hold for all `comparisons` at once. What is unknown is None.
    """

    estimate: float | None
    low: float | None
    high: float | None
    confidence: float
    p_value: float | None
    uncorrected: float | None
    effect_size: float | None
    pairs: int
    comparisons: int
    metric: str
    unit: str

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values; shares stay shares, though people read them in points."""
        return dict(vars(self))


@dataclass(frozen=True)
class Recommendation:
    """What to use, how sure that is, and why.

    `policy` is the mixing block to use: no mixing's, unless the verdict is `use`. `effect` is that of `shown`, the
    policy recommended or the one nearest to it; None where there is none. `seeds` counts the fresh seeds behind it.
    """

    verdict: Verdict
    policy: Mapping[str, Any]
    baseline: Mapping[str, Any]
    effect: Effect
    seeds: int
    planned_seeds: int
    shown: Candidate | None
    candidates: tuple[Confirmed, ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    alpha_interval: Mapping[str, Any] | None = None

    @property
    def used(self) -> Candidate:
        """Return the candidate whose policy is to be used: the baseline, unless the verdict is `use`."""
        if self.verdict is Verdict.USE and self.shown is not None:
            return self.shown
        return self.candidates[0].candidate

    def as_json(self) -> dict[str, Any]:
        """Return the recommendation in the form that scripts rely on (DESIGN.md, section 4)."""
        return {
            "verdict": self.verdict.value,
            "policy": dict(self.policy),
            "baseline": dict(self.baseline),
            "effect": self.effect.as_json(),
            "seeds": self.seeds,
            "planned_seeds": self.planned_seeds,
            "alpha_interval": dict(self.alpha_interval) if self.alpha_interval else None,
            "candidate": self.shown.key if self.shown else None,
            "candidates": [one.as_json() for one in self.candidates],
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
        }


def recommend(
    candidates: Sequence[Candidate],
    scores: Mapping[str, Scores],
    seeds: Sequence[int],
    metric: str,
    maximise: bool,
    *,
    confidence: float = CONFIDENCE,
    alpha_intervals: Mapping[str, Mapping[str, Any]] | None = None,
) -> Recommendation:
    """Return what to use, from candidates (one of them the baseline) and their scores, by key, on the planned seeds.

    `alpha_intervals` are the intervals of alpha that are as good, by the candidates' keys.

    Raises:
        ValueError: not exactly one baseline.
    """
    found = confirmation(candidates, scores, seeds, maximise, confidence)
    shown = _shown(found)
    verdict = _verdict(found, shown)
    effect = _effect(found, shown, metric, confidence)
    told = shown if verdict is Verdict.USE and shown else found.baseline
    return Recommendation(
        verdict,
        told.candidate.mixing,
        found.baseline.candidate.mixing,
        effect,
        effect.pairs,
        len(seeds),
        shown.candidate if shown else None,
        (found.baseline, *found.compared),
        reasons_for(verdict, found, shown, effect.estimate, metric),
        warnings_of(found, shown),
        (alpha_intervals or {}).get(told.candidate.key),
    )


def _shown(found: Confirmation) -> Confirmed | None:
    """Return the preferred candidate: of those shown to be better; of those still racing, while none is; of all."""
    racing = [one for one in found.compared if one.dropped is None and one.difference.pairs > 1]
    better = [one for one in racing if one.difference.is_better]
    known = [one for one in found.compared if one.gained]
    pool = better or racing or known or list(found.compared[:1])
    key = _preferred(pool)
    return next((one for one in pool if one.candidate.key == key), pool[0] if pool else None)


def _verdict(found: Confirmation, shown: Confirmed | None) -> Verdict:
    if shown is None:
        return Verdict.NO_EVIDENCE
    if not found.race.is_over or shown.difference.pairs < 2:
        return Verdict.NOT_CONFIRMED
    if shown.difference.is_better and shown.dropped is None:
        return Verdict.USE
    saw_gain = any((one.search_gain or 0.0) > 0 for one in found.compared)
    return Verdict.NOT_CONFIRMED if shown.difference.is_worse and saw_gain else Verdict.NO_EVIDENCE


def _effect(found: Confirmation, shown: Confirmed | None, metric: str, confidence: float) -> Effect:
    known = (shown or found.baseline).difference
    return Effect(
        _corrected(found, shown) if shown else None,
        known.low,
        known.high,
        confidence,
        known.p_value,
        known.estimate,
        known.effect_size,
        known.pairs,
        known.comparisons,
        metric,
        unit(metric),
    )


def _corrected(found: Confirmation, shown: Confirmed) -> float | None:
    """Return the estimate less what the choice among the finalists adds to it, and no further than its interval."""
    known = shown.difference
    racing = [one for one in found.compared if one.dropped is None and one.difference.pairs > 1]
    chosen = _preferred(racing)
    real = worth(_gained(racing), _simplicity(racing))
    if known.estimate is None or real is None or chosen is None or shown.dropped:
        return known.estimate
    corrected = known.estimate - statistics.fmean(_gained(racing)[chosen].values()) + real
    if known.low is None or known.high is None:
        return corrected
    return min(max(corrected, known.low), known.high)


def _preferred(pool: Sequence[Confirmed]) -> str | None:
    return preferred(_gained(pool), _simplicity(pool))


def _gained(pool: Sequence[Confirmed]) -> dict[str, Mapping[int, float]]:
    return {one.candidate.key: one.gained for one in pool}


def _simplicity(pool: Sequence[Confirmed]) -> dict[str, tuple[float, ...]]:
    return {one.candidate.key: one.candidate.simplicity for one in pool}
