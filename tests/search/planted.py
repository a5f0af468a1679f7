"""A planted truth: made-up learning curves of which the best policy is known, with the slow start that mixing has.

Accuracy rises as `final - (final - start) x exp(-epoch / time constant)`. The time constant grows with the policy's
mixing strength and by a factor of the method's own; the method that is planted as the best is the slowest of all, as
CutMix is in DESIGN.md, section 7 (epoch 1 at alpha 1: mixup 9 points below none, CutMix 12.6).
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import betainc

from tuner.results import TrialRecord
from tuner.search.search import Assignment

STUDY = """
name: planted
trial:
  dataset: {{name: digits}}
  model: {{name: small_cnn, padding: same}}
  training: {{epochs: {epochs}}}
  mixing:
    choice:
      none: {{}}
      mixup: {{ratio: {{name: beta, alpha: &alpha {{low: 0.05, high: 8.0, log: true}}}}}}
      cutmix: {{ratio: {{name: beta, alpha: *alpha}}}}
      fmix: {{ratio: {{name: beta, alpha: *alpha}}}}
search: {{trials: {trials}, sampler: {sampler}}}
"""

_STRENGTH_AT_ALPHA_1 = 0.25


@dataclass(frozen=True)
class Planted:
    """One truth; accuracies are shares, time constants epochs.

    `gains` are what each method's best alpha is better than no mixing; the gain falls as alpha leaves 1, to 61 % of
    it at a factor e^`width`. `slowness` multiplies the slow-down at alpha 1, `slow_start` epochs, for each method.
    """

    gains: Mapping[str, float]
    slowness: Mapping[str, float] = field(default_factory=lambda: {"mixup": 0.8, "cutmix": 1.2, "fmix": 1.0})
    time_constant: float = 7.0
    slow_start: float = 1.0
    width: float = 1.5
    unmixed: float = 0.90
    start: float = 0.10
    seed_noise: float = 0.0025
    epoch_noise: float = 0.001

    def final(self, config: Mapping[str, Any]) -> float:
        """Return a resolved configuration's accuracy after endless training, without noise."""
        mixing = config["mixing"]
        if mixing["name"] == "none":
            return self.unmixed
        away = math.log(mixing["ratio"]["alpha"]) / self.width
        return self.unmixed + self.gains.get(mixing["name"], 0.0) * math.exp(-(away**2) / 2)

    def time_constant_of(self, config: Mapping[str, Any]) -> float:
        """Return the epochs in which a policy's distance to its final accuracy falls to 1/e."""
        mixing = config["mixing"]
        if mixing["name"] == "none":
            return self.time_constant
        alpha = mixing["ratio"]["alpha"]
        strength = betainc(alpha + 1, alpha, 0.5)  # E[1 - largest share] of Beta(alpha, alpha)
        slowness = self.slowness.get(mixing["name"], 1.0)
        return self.time_constant + self.slow_start * slowness * float(strength) / _STRENGTH_AT_ALPHA_1

    def curve(self, assignment: Assignment, epochs: int, study_seed: int) -> list[float]:
        """Return a trial's accuracies: the law, one deviation for its seed, and little ones for its epochs.

        The noise is a function of study, configuration and seed alone, so every scheduler meets the same.
        """
        text = json.dumps([study_seed, assignment.config, assignment.seed], sort_keys=True)
        rng = np.random.default_rng(zlib.crc32(text.encode()))
        final, time_constant = self.final(assignment.config), self.time_constant_of(assignment.config)
        final_here = final + self.seed_noise * rng.standard_normal()
        passed = np.arange(1, epochs + 1)
        law = final_here - (final_here - self.start) * np.exp(-passed / time_constant)
        return [float(value) for value in law + self.epoch_noise * rng.standard_normal(epochs)]

    def regret(self, winner: TrialRecord | None) -> float:
        """Return how far a winner is from the best policy of the space, without noise."""
        best = self.unmixed + max([0.0, *self.gains.values()])
        return best - (self.final(winner.config) if winner else self.start)


CUTMIX_IS_BETTER = Planted(gains={"cutmix": 0.03, "mixup": 0.01, "fmix": 0.01})
NOTHING_IS_BETTER = Planted(gains={})
