"""Studies of one method whose true answer to alpha is known; only training is made up.

Curves rise as the small network's on 12,000 FashionMNIST images do (tests/data/curves.yaml: 66 % after the first of 27
epochs, 87 % at the end), strong mixing more slowly. Alphas are drawn at random, and after a while around the best so
far; ASHA stops trials by its own code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from tuner.results import TrialRecord, TrialState, flatten
from tuner.search.asha import Asha

LOW, HIGH = 0.05, 8.0
EPOCHS = 27

_AT = np.sqrt([1, 2, 3, 5, 9, 15, 21, 27])
_TO_GO = [0.20, 0.13, 0.105, 0.09, 0.04, 0.017, 0.003, 0.0]
_EPOCH_NOISE = [0.012, 0.010, 0.008, 0.006, 0.005, 0.004, 0.002, 0.0005]
_PROBABILITIES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Truth:
    """What is true; accuracies are shares.

    `gain` is what the best alpha, `best`, is better than one far away; at a factor e^`width` 61 % of it is left.
    `noise` is one seed's standard deviation, `slow` by what part mixing at alpha 1 lengthens the way to the end,
    `probable` what mixing every batch gains over mixing a quarter of them, whatever alpha.
    """

    gain: float = 0.02
    best: float = 1.0
    width: float = 1.5
    noise: float = 0.0025
    slow: float = 0.5
    probable: float = 0.0
    maximise: bool = True

    def final(self, alpha: float | np.ndarray) -> np.ndarray:
        """Return the mean accuracy of whole trainings, over seeds and probabilities."""
        away = np.log(np.asarray(alpha) / self.best) / self.width
        return 0.85 + self.gain * np.exp(-(away**2) / 2)

    def curve(self, alpha: float, probability: float, rng: np.random.Generator) -> np.ndarray:
        """Return one training's accuracy after each epoch."""
        epochs = np.sqrt(np.arange(1, EPOCHS + 1))
        strength = float(betainc(alpha + 1, alpha, 0.5)) / 0.25
        to_go = np.interp(epochs, _AT, _TO_GO) * (1 + self.slow * strength)
        luck = self.noise * rng.standard_normal() * epochs / epochs[-1]
        noise = np.interp(epochs, _AT, _EPOCH_NOISE) * rng.standard_normal(EPOCHS)
        more = self.probable * (probability - np.mean(_PROBABILITIES)) / 0.75
        return self.final(alpha) + more - to_go + luck + noise


def study(truth: Truth, trials: int, seed: int, *, stops: bool = True) -> list[TrialRecord]:
    """Return a study's trials; the first is the published alpha 1, which is never stopped."""
    rng = np.random.default_rng(seed)
    asha = Asha(EPOCHS, grace_epochs=5, reduction=2)
    found: list[TrialRecord] = []
    for number in range(trials):
        alpha = 1.0 if number == 0 else _alpha(found, truth, rng)
        probability = float(rng.choice(_PROBABILITIES)) if truth.probable else 1.0
        curve = truth.curve(alpha, probability, rng)
        end = _end(asha, number, curve) if stops and number else EPOCHS
        state = TrialState.COMPLETE if end == EPOCHS else TrialState.PRUNED
        objective = curve[:end] if truth.maximise else 1 - curve[:end]
        found.append(record(number, alpha, objective.tolist(), state, probability))
    return found


def record(
    number: int, alpha: float, curve: list[float], state: TrialState = TrialState.COMPLETE, probability: float = 1.0
) -> TrialRecord:
    """Return a trial of mixup with Beta(alpha, alpha)."""
    config = {"mixing": {"name": "mixup", "probability": probability, "ratio": {"name": "beta", "alpha": alpha}}}
    return TrialRecord(number, state, "", flatten(config), tuple(curve), {}, number, config=config)


def _alpha(found: list[TrialRecord], truth: Truth, rng: np.random.Generator) -> float:
    """Return an alpha anywhere, or after eight trials mostly near one of the three best."""
    if len(found) <= 8 or rng.random() < 0.3:
        return float(np.exp(rng.uniform(math.log(LOW), math.log(HIGH))))
    sign = 1 if truth.maximise else -1
    done = [trial for trial in found if trial.state is TrialState.COMPLETE]
    best = sorted(done, key=lambda trial: -sign * trial.curve[-1])[:3]
    near = best[rng.integers(len(best))].params["mixing.ratio.alpha"]
    return float(np.clip(near * np.exp(0.6 * rng.standard_normal()), LOW, HIGH))


def _end(asha: Asha, number: int, curve: np.ndarray) -> int:
    stops = (epoch for epoch in asha.rungs if asha.record("all", number, epoch, float(curve[epoch - 1])).stop)
    return next(stops, EPOCHS)
