"""Whole studies whose truth is known: a noisy search, its finalists, fresh paired seeds, the race and the verdict.

Only training is made up. A score is the policy's true value, what its seed does to all policies alike, and what it does
to this policy alone; the share of the first is `pairing`, the correlation of two policies' scores on one seed. The
unit is one standard deviation of a seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tuner.results import TrialRecord, TrialState, flatten
from tuner.selection.finalists import Candidate, Cost, candidates
from tuner.selection.racing import Race, race
from tuner.selection.recommend import Recommendation, Verdict, recommend

METHODS = ("mixup", "cutmix", "fmix")
_CENTRE = 10.0


@dataclass(frozen=True)
class Truth:
    """What is true in a study; all in standard deviations of a seed.

    `gains` are the methods' true gains over no mixing. `spread` multiplies a method's noise; `failing` is the chance
    that a confirming training fails; `step` rounds scores, as a small test split does; `freedom` gives the noise the
    tails of Student's t.
    """

    gains: Mapping[str, float] = field(default_factory=dict)
    pairing: float = 0.0
    maximise: bool = True
    spread: Mapping[str, float] = field(default_factory=dict)
    failing: float = 0.0
    step: float = 0.0
    freedom: float = math.inf

    def score(self, method: str, shared: float, rng: np.random.Generator) -> float:
        """Return one training's score on a seed that does `shared` to all policies."""
        own = float(rng.standard_normal()) if math.isinf(self.freedom) else self._tailed(rng)
        noise = math.sqrt(self.pairing) * shared + math.sqrt(1 - self.pairing) * self.spread.get(method, 1.0) * own
        gain = self.gains.get(method, 0.0) * (1 if self.maximise else -1)
        value = _CENTRE + gain + noise
        return round(value / self.step) * self.step if self.step else value

    def _tailed(self, rng: np.random.Generator) -> float:
        return float(rng.standard_t(self.freedom)) * math.sqrt((self.freedom - 2) / self.freedom)


@dataclass(frozen=True)
class Simulated:
    """A study's end: its candidates, its scores, its race and what it recommends."""

    candidates: tuple[Candidate, ...]
    scores: Mapping[str, Mapping[int, float | None]]
    race: Race
    found: Recommendation


def simulate(truth: Truth, seed: int, *, finalists: int = 3, seeds: int = 5, trials: int = 20) -> Simulated:
    """Run one study of `trials` that ran to the end, on noise that follows from `seed`."""
    rng = np.random.default_rng(seed)
    chosen = candidates(search(truth, trials, rng), finalists, truth.maximise, cost)
    baseline, *others = chosen
    planned, scores = range(100, 100 + seeds), {one.key: {} for one in chosen}
    shared = dict(zip(planned, rng.standard_normal(seeds), strict=True))
    methods = {one.key: one.method for one in chosen}
    keys = [one.key for one in others]
    while not (state := race(keys, baseline.key, planned, scores, truth.maximise)).is_over:
        for key, number in [one for one in state.todo if one[1] == state.todo[0][1]]:
            fails = rng.random() < truth.failing
            scores[key][number] = None if fails else truth.score(methods[key], shared[number], rng)
    return Simulated(chosen, scores, state, recommend(chosen, scores, planned, "score", truth.maximise))


def search(truth: Truth, trials: int, rng: np.random.Generator) -> list[TrialRecord]:
    """Return a search's trials: no mixing, the published settings, drawn ones, and some that were stopped."""
    mixing: list[tuple[dict[str, Any], bool]] = [({"name": "none"}, True)]
    mixing += [({"name": method, "ratio": {"name": "beta", "alpha": 1.0}}, True) for method in METHODS]
    for _ in range(trials):
        alpha = float(np.exp(rng.uniform(-3, 2)))
        mixing.append(({"name": METHODS[rng.integers(3)], "ratio": {"name": "beta", "alpha": alpha}}, False))
    return [_trial(number, block, given, truth, rng) for number, (block, given) in enumerate(mixing)]


def cost(mixing: Mapping[str, Any]) -> Cost:
    """Return a cost by which the methods differ."""
    return {"none": Cost(), "mixup": Cost(count=2), "cutmix": Cost(1, 0, 2), "fmix": Cost(1, 1, 2)}[mixing["name"]]


def is_right(study: Simulated, truth: Truth) -> bool:
    """Tell whether the interval of the policy that is shown covers its true gain."""
    effect = study.found.effect
    if effect.low is None or effect.high is None:
        return False
    return effect.low <= gain_of(study, truth) <= effect.high


def gain_of(study: Simulated, truth: Truth) -> float:
    """Return the true gain of the policy that is shown."""
    assert study.found.shown is not None
    return truth.gains.get(study.found.shown.method, 0.0)


def uses(study: Simulated) -> bool:
    """Tell whether the verdict is to use a policy."""
    return study.found.verdict is Verdict.USE


def _trial(number: int, mixing: dict[str, Any], given: bool, truth: Truth, rng: np.random.Generator) -> TrialRecord:
    """Return a trial by its own seed; one drawn trial in four is stopped early, on a value that looks good."""
    is_stopped = not given and rng.random() < 0.25
    config = {"mixing": mixing}
    state = TrialState.PRUNED if is_stopped else TrialState.COMPLETE
    lucky = 20.0 * (1 if truth.maximise else -1) if is_stopped else 0.0
    value = truth.score(mixing["name"], float(rng.standard_normal()), rng) + lucky
    return TrialRecord(number, state, "", flatten(config), (value,), {}, number, given, config)
