"""Quasi-random search: a scrambled Sobol sequence over all parameters of the space, conditional ones too.

Own code where Optuna's `QMCSampler` (5.0) does nothing: it takes its space from the first finished trial, here the
baseline without parameters, and samples every other parameter independently.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial
from scipy.stats import qmc


class PointSampler(BaseSampler):
    """What samplers share that draw a whole point of the space, of which a trial uses what its branches have."""

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return nothing: the point is drawn whole."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return nothing."""
        return {}


class QuasiRandomSampler(PointSampler):
    """Draws trial `number` from the sequence's point of that number: a dimension for each of the space's `names`.

    A trial uses the dimensions of the parameters that its branches have, so the points stay even in every branch.

    Source: Owen 1998, Scrambling Sobol' and Niederreiter-Xing points; Bergstra and Bengio 2012, section 4.
    """

    def __init__(self, names: Sequence[str], seed: int, number: int) -> None:
        sequence = qmc.Sobol(max(1, len(names)), scramble=True, rng=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # balance at powers of two, which a search need not keep
            point = sequence.random(number + 1)[-1]
        self._point = dict(zip(names, point, strict=False))

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return the parameter's coordinate of the point, in its distribution."""
        return value_at(param_distribution, float(self._point[param_name]))


def value_at(distribution: BaseDistribution, share: float) -> Any:
    """Return the value at `share` in [0, 1) of a distribution's cumulative probability."""
    match distribution:
        case CategoricalDistribution():
            return distribution.choices[int(share * len(distribution.choices))]
        case IntDistribution(log=True):
            low, high = math.log(distribution.low - 0.5), math.log(distribution.high + 0.5)
            return min(distribution.high, max(distribution.low, round(math.exp(low + share * (high - low)))))
        case IntDistribution():
            steps = (distribution.high - distribution.low) // distribution.step + 1
            return distribution.low + distribution.step * int(share * steps)
        case FloatDistribution(step=float() as step):
            steps = round((distribution.high - distribution.low) / step) + 1
            return distribution.low + step * int(share * steps)
        case FloatDistribution(log=True):
            low, high = math.log(distribution.low), math.log(distribution.high)
            return min(distribution.high, max(distribution.low, math.exp(low + share * (high - low))))
        case FloatDistribution():
            return distribution.low + share * (distribution.high - distribution.low)
    raise ValueError(f"a distribution Optuna has not had: {distribution!r}")
