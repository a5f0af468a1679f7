"""Which trials of a search are trained again on fresh seeds, beside the baseline that they have to beat."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuner.catalog import called
from tuner.results import TrialRecord, TrialState, unmixed_baseline

UNMIXED = "none"


@dataclass(frozen=True)
class Cost:
    """What a policy costs a step beyond no mixing: passes through the model; `count` is N, the sources of a mixture."""

    extra_forward: float = 0
    extra_backward: float = 0
    count: int = 1


CostOf = Callable[[Mapping[str, Any]], Cost]
"""What a resolved mixing block costs; the table of methods knows, which stands on a floor beside this one."""


@dataclass(frozen=True)
class Candidate:
    """A configuration to be confirmed.

    `key` is the same for the same configuration in any study, `origin` says in words why it is here. `search_value` is
    the objective after the last epoch, the mean over `repeats` trainings; none where none ran to the end. `trial` is
    the first of those trials.
    """

    key: str
    config: Mapping[str, Any]
    method: str
    origin: str
    search_value: float | None
    repeats: int
    trial: int
    cost: Cost
    is_baseline: bool = False

    @property
    def mixing(self) -> Mapping[str, Any]:
        """Return the mixing block."""
        mixing: Mapping[str, Any] = self.config["mixing"]
        return mixing

    @property
    def name(self) -> str:
        """Return what messages call it."""
        return "no mixing" if self.is_baseline else f"{self.method} (trial {self.trial})"

    @property
    def simplicity(self) -> tuple[float, int]:
        """Return what is smaller the simpler the policy is: extra passes first, then N."""
        return self.cost.extra_forward + self.cost.extra_backward, self.cost.count


def candidates(trials: Sequence[TrialRecord], finalists: int, maximise: bool, cost: CostOf) -> tuple[Candidate, ...]:
    """Return the baseline, the finalists from the best on, and the best published setting if it is none of those.

    Only trials that ran to the end count, each by its last epoch: the value of one stopped early is not that of a
    whole training, and the best of many epochs is partly luck. Finalists are the best of each method, then the best of
    the others. Trials of one configuration are one, by their mean. The baseline is the best without mixing (there are
    several where something else is searched beside mixing). The published setting is the best of the mixed baselines:
    what one would use without a search.

    Raises:
        ValueError: no trial without mixing was started.
    """
    sign = 1 if maximise else -1
    groups = _groups(trials, cost)
    ranked = sorted(groups, key=lambda one: (-sign * (one.search_value or 0.0), one.trial))
    mixed = [one for one in ranked if one.method != UNMIXED]
    given = {key_of(trial.config) for trial in trials if trial.baseline}
    published = next((one for one in mixed if one.key in given), None)
    baseline = next((one for one in ranked if one.method == UNMIXED), None) or _unfinished(trials, maximise, cost)
    chosen = _chosen(mixed, finalists)
    if published and published not in chosen:
        chosen.append(published)
    origins = [_origin(one, mixed, published) for one in chosen]
    return (
        replace(baseline, origin="baseline", is_baseline=True),
        *(replace(one, origin=origin) for one, origin in zip(chosen, origins, strict=True)),
    )


def key_of(config: Mapping[str, Any]) -> str:
    """Return a short name of a resolved configuration, the same in every process and study."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _groups(trials: Sequence[TrialRecord], cost: CostOf) -> list[Candidate]:
    """Return one candidate for each configuration that was trained to the end."""
    same: dict[str, list[TrialRecord]] = {}
    for trial in trials:
        if trial.state is TrialState.COMPLETE and trial.curve and math.isfinite(trial.curve[-1]):
            same.setdefault(key_of(trial.config), []).append(trial)
    return [_candidate(group[0], cost, [trial.curve[-1] for trial in group]) for group in same.values()]


def _candidate(first: TrialRecord, cost: CostOf, values: Sequence[float]) -> Candidate:
    mixing = first.config["mixing"]
    value = statistics.fmean(values) if values else None
    return Candidate(
        key_of(first.config), first.config, called(mixing), "", value, len(values), first.number, cost(mixing)
    )


def _unfinished(trials: Sequence[TrialRecord], maximise: bool, cost: CostOf) -> Candidate:
    """Return the baseline that has no value, as its training failed or is not over."""
    found = unmixed_baseline(trials, maximise)
    if found is None:
        raise ValueError("the study has no trial without mixing, which the others are compared with; run it to its end")
    return _candidate(found, cost, [])


def _chosen(ranked: Sequence[Candidate], count: int) -> list[Candidate]:
    best_of: dict[str, Candidate] = {}
    for one in ranked:
        best_of.setdefault(one.method, one)
    best = list(best_of.values())
    return [*best, *(one for one in ranked if one not in best)][:count]


def _origin(one: Candidate, ranked: Sequence[Candidate], published: Candidate | None) -> str:
    words = ["best overall"] if one is ranked[0] else []
    if one is next(other for other in ranked if other.method == one.method):
        words.append(f"best of {one.method}")
    if one is published:
        words.append("published")
    return ", ".join(words) or "next best overall"
