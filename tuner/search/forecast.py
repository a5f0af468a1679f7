"""How many epochs a search is expected to train: its own stopping rule, over trials whose values are drawn.

A trial's true quality is drawn from a normal distribution, and what a rung sees of it has an error of half that spread.
By this, fashion_mnist's 48 trials cost 461 epochs (372 to 570 in nine of ten studies); it really cost 378.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna

from tuner import space, trial
from tuner.search import baselines
from tuner.search.asha import Asha
from tuner.search.strata import stratum
from tuner.spec import StudySpec

_STUDIES = 200
_MOST_DRAWN = 100
_ERROR = 0.5


@dataclass(frozen=True)
class Epochs:
    """A search's epochs: the most there can be, the expected, and between which nine of ten studies lie."""

    trials: int
    most: int
    expected: float
    low: int
    high: int


def drawn(spec: StudySpec) -> list[dict[str, Any]]:
    """Return resolved configurations as random trials of the space have them, some for each that the study has."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=spec.seed))
    template = baselines.drawn_template(spec)
    wanted = min(_MOST_DRAWN, max(10, spec.search.trials))
    return [trial.resolve(space.suggest(study.ask(), template)) for _ in range(wanted)]


def epochs(spec: StudySpec, configs: Sequence[dict[str, Any]], trials: int) -> Epochs:
    """Return the epochs of a search of so many trials, most of them like `configs`; baselines are never stopped."""
    most = trials * spec.epochs
    if spec.scheduler.name == "fifo":
        return Epochs(trials, most, most, most, most)
    strata = spec.scheduler.strata
    first = [stratum({**configs[0], "mixing": block}, strata) for block in _resolved(spec, configs[0])][:trials]
    others = [stratum(config, strata) for config in configs]
    found = sorted(_study(spec, first, others, trials, random.Random(index)) for index in range(_STUDIES))
    cut = _STUDIES // 20
    return Epochs(trials, most, statistics.mean(found), found[cut], found[-1 - cut])


def _resolved(spec: StudySpec, config: dict[str, Any]) -> list[Any]:
    return [trial.resolve({**config, "mixing": block})["mixing"] for block in baselines.blocks(spec)]


def _study(spec: StudySpec, first: Sequence[str], others: Sequence[str], trials: int, rng: random.Random) -> int:
    """Return the epochs of one study, its trials one after another."""
    rule = spec.scheduler
    asha = Asha(spec.epochs, rule.grace_epochs, rule.reduction)
    qualities = [rng.gauss(0, 1) for _ in range(trials)]
    trained: dict[int, int] = {}
    paused: dict[int, tuple[str, int]] = {}

    def train(number: int, own: str, after: int) -> None:
        for epoch in [rung for rung in asha.rungs if rung > after]:
            seen = qualities[number] + _ERROR * rng.gauss(0, 1)
            if asha.record(own, number, epoch, seen).stop and number >= len(first):
                trained[number] = epoch
                if rule.promote:
                    paused[number] = own, epoch
                return
        trained[number] = spec.epochs

    for number in range(trials):
        train(number, first[number] if number < len(first) else rng.choice(others), 0)
        while (promoted := asha.promotable(paused)) is not None:
            train(promoted, *paused.pop(promoted))
    return sum(trained.values())
