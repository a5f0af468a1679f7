"""Trials, candidates and scores in a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuner.results import TrialRecord, TrialState, flatten
from tuner.selection.finalists import Candidate, Cost, key_of
from tuner.selection.recommend import Recommendation, recommend

COSTS = {"none": Cost(), "mixup": Cost(0, 0, 2), "cutmix": Cost(1, 0, 2), "fmix": Cost(1, 1, 2)}


def cost(mixing: Mapping[str, Any]) -> Cost:
    return COSTS[mixing["name"]]


def config(method: str, alpha: float = 1.0, **beside: Any) -> dict[str, Any]:
    ratio = {} if method == "none" else {"ratio": {"name": "beta", "alpha": alpha}}
    return {"mixing": {"name": method, **ratio}, **beside}


def trial(number: int, value: float, method: str, alpha: float = 1.0, **more: Any) -> TrialRecord:
    """Return a trial that ran to its end, unless `more` says otherwise."""
    own = config(method, alpha, **more.pop("beside", {}))
    fields: dict[str, Any] = {"state": TrialState.COMPLETE, "curve": (value,), "seed": 0, **more}
    return TrialRecord(number=number, cause="", params=flatten(own), metrics={}, config=own, **fields)


def candidate(method: str, search_value: float | None = 0.5, number: int = 1, **more: Any) -> Candidate:
    own = config(method, **more)
    return Candidate(key_of(own), own, method, "", search_value, 1, number, COSTS[method], is_baseline=method == "none")


def by_seed(*scores: float | None) -> dict[int, float | None]:
    """Return scores on the seeds 100, 101 ..."""
    return dict(enumerate(scores, start=100))


def seeds(number: int) -> Sequence[int]:
    return range(100, 100 + number)


def found(
    scores: Sequence[tuple[Candidate, Sequence[float | None]]], *, number: int = 5, maximise: bool = True, **more: Any
) -> Recommendation:
    """Recommend from pairs of a candidate and its scores in the order of the seeds."""
    kept = {one.key: by_seed(*own) for one, own in scores}
    return recommend([one for one, _ in scores], kept, seeds(number), "test_accuracy", maximise, **more)
