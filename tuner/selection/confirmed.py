"""The candidates beside what fresh seeds say of them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tuner.selection.choice import near_best
from tuner.selection.finalists import Candidate
from tuner.selection.racing import Dropped, Race, race
from tuner.selection.statistics import Difference, Scores, difference, gains, usable


@dataclass(frozen=True)
class Confirmed:
    """A candidate with its scores on fresh seeds and what they say against the baseline's.

    `gained` are its differences to the baseline by seed, larger is better, `search_gain` the difference that the search
    saw. `dropped` says why it got no more seeds. `is_near_best` says that one standard error cannot tell it from the
    best of those that were not dropped.
    """

    candidate: Candidate
    scores: Scores
    gained: Mapping[int, float]
    difference: Difference
    search_gain: float | None
    dropped: Dropped | None
    is_near_best: bool

    @property
    def failed_seeds(self) -> list[int]:
        """Return the seeds on which its training failed."""
        return sorted(self.scores.keys() - usable(self.scores, maximise=True).keys())

    @property
    def optimism(self) -> float | None:
        """Return by how much the search's difference was higher than that on fresh seeds."""
        if self.search_gain is None or self.difference.estimate is None:
            return None
        return self.search_gain - self.difference.estimate

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values: scores as measured, differences as gains."""
        known = usable(self.scores, maximise=True)
        return {
            "key": self.candidate.key,
            "name": self.candidate.name,
            "origin": self.candidate.origin,
            "method": self.candidate.method,
            "trial": self.candidate.trial,
            "mixing": dict(self.candidate.mixing),
            "is_baseline": self.candidate.is_baseline,
            **asdict(self.candidate.cost),
            "scores": {str(seed): known.get(seed) for seed in sorted(self.scores)},
            "mean": statistics.fmean(known.values()) if known else None,
            **self.difference.as_json(),
            "search_value": self.candidate.search_value,
            "search_gain": self.search_gain,
            "optimism": self.optimism,
            "dropped": asdict(self.dropped) if self.dropped else None,
            "is_near_best": self.is_near_best,
        }


@dataclass(frozen=True)
class Confirmation:
    """The baseline, the candidates that are compared with it, and what is still to be trained."""

    baseline: Confirmed
    compared: tuple[Confirmed, ...]
    race: Race
    planned: int

    def lacks_seeds(self, one: Confirmed) -> bool:
        """Tell whether too many of a candidate's planned pairs failed: more than one of five.

        Who diverges on most seeds and is good on the others is not better; it has lost on those.
        """
        return one.difference.pairs < self.planned - self.planned // 5


def confirmation(
    candidates: Sequence[Candidate],
    scores: Mapping[str, Scores],
    seeds: Sequence[int],
    maximise: bool,
    confidence: float,
    *,
    others_seen: int = 0,
) -> Confirmation:
    """Return what the scores of planned seeds say of candidates, one of whom is the baseline.

    `others_seen` counts policies that were trained on these seeds and are no candidates any more: somebody has seen
    their scores, so the intervals allow for them too.

    Raises:
        ValueError: not exactly one baseline.
    """
    baselines = [one for one in candidates if one.is_baseline]
    if len(baselines) != 1:
        raise ValueError(f"wanted candidates with one baseline, got {len(baselines)} baselines of {len(candidates)}")
    baseline, others = baselines[0], [one for one in candidates if not one.is_baseline]
    planned = {one.key: _planned(scores.get(one.key, {}), seeds) for one in candidates}
    state = race([one.key for one in others], baseline.key, seeds, planned, maximise)
    values = {key: usable(own, maximise) for key, own in planned.items()}
    gained = {one.key: gains(values[one.key], values[baseline.key]) for one in others}
    near = near_best({key: gained[key] for key in state.remaining})

    def confirmed(one: Candidate) -> Confirmed:
        own = gained.get(one.key, {})
        told = difference(own, max(1, len(others) + others_seen), confidence)
        saw = _search_gain(one, baseline, maximise)
        return Confirmed(one, planned[one.key], own, told, saw, state.dropped.get(one.key), one.key in near)

    return Confirmation(confirmed(baseline), tuple(map(confirmed, others)), state, len(seeds))


def _planned(scores: Scores, seeds: Sequence[int]) -> dict[int, float | None]:
    return {seed: scores[seed] for seed in seeds if seed in scores}


def _search_gain(one: Candidate, baseline: Candidate, maximise: bool) -> float | None:
    if one.is_baseline or one.search_value is None or baseline.search_value is None:
        return None
    return (one.search_value - baseline.search_value) * (1 if maximise else -1)
