"""Samplers that model the whole space at once: a Gaussian process, and an evolution strategy where all is continuous.

Optuna's own (5.0) take their space from what all finished trials share. Here that is nothing, as the baseline without
mixing has no parameters, and they would draw at random; so both are given the space.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler
from optuna.trial import FrozenTrial, TrialState

from tuner.search.quasi_random import PointSampler, value_at
from tuner.space import AnyOf, Choice, Domain

_STARTUP_TRIALS = 10

Space = Mapping[str, BaseDistribution]


def distribution(domain: Domain) -> BaseDistribution:
    """Return Optuna's distribution of a domain."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(tuple(domain.branches))
    if isinstance(domain, AnyOf):
        return CategoricalDistribution(domain.labels)
    low, high, step = domain.low, domain.top, domain.step
    if domain.integers:
        return IntDistribution(int(low), int(high), log=domain.log, step=1 if step is None else int(step))
    return FloatDistribution(float(low), float(high), log=domain.log, step=None if step is None else float(step))


class GaussianProcessSampler(PointSampler):
    """Draws a trial's point by a Gaussian process over all parameters; a trial uses those that its branches have.

    What a trial did not have is taken at its middle. Trials that were stopped count with the end that they may have
    had; those that run are expected to do as the model says. It takes seconds a point.

    Source: Levesque et al. 2017, Bayesian optimization for conditional hyperparameter spaces, section III (imputation).
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space = dict(space)
        self._seed = seed
        self._point: Mapping[str, Any] | None = None

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return the parameter's coordinate of the point."""
        if self._point is None:
            self._point = self._drawn(study)
        return self._point[param_name]

    def _drawn(self, study: optuna.Study) -> dict[str, Any]:
        """Ask Optuna's sampler in a study of its own, in which every trial has every parameter."""
        known = [one for one in study.get_trials(deepcopy=False) if one.params]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            inner = GPSampler(seed=self._seed, n_startup_trials=_STARTUP_TRIALS)
            own = optuna.create_study(direction=study.direction, sampler=inner)
            for one, value in _expected_ends(study):
                own.add_trial(self._completed(one, value))
            for one in known:
                if one.state is TrialState.RUNNING:
                    own.add_trial(self._completed(one, None))
            return dict(own.ask(self._space).params)

    def _completed(self, trial: FrozenTrial, value: float | None) -> FrozenTrial:
        middles = {name: value_at(one, 0.5) for name, one in self._space.items()}
        return optuna.trial.create_trial(
            state=TrialState.RUNNING if value is None else TrialState.COMPLETE,
            value=value,
            params={name: trial.params.get(name, middles[name]) for name in self._space},
            distributions=self._space,
        )


class EvolutionSampler(BaseSampler):
    """CMA-ES over a space of real numbers; trials that were stopped count by the value they were stopped at.

    Source: Hansen 2016, The CMA Evolution Strategy: a tutorial (arXiv 1604.00772).
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space = dict(space)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._inner = CmaEsSampler(seed=seed, consider_pruned_trials=True, warn_independent_sampling=False)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the whole space."""
        return self._space

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a point of the current generation."""
        return dict(self._inner.sample_relative(study, trial, dict(search_space)))

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a random value: nothing has finished yet."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)


def _expected_ends(study: optuna.Study) -> list[tuple[FrozenTrial, float]]:
    """Return the trials that ended well or were stopped, with what they reached or might have.

    A stopped one is taken to have gained as much after its last epoch as the median of those that ran to the end.
    """
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    complete = [one.intermediate_values for one in ended if one.state is TrialState.COMPLETE]

    def gain(epoch: int) -> float:
        gains = [values[max(values)] - values[epoch] for values in complete if epoch in values]
        return statistics.median(gains) if gains else 0.0

    curves = [(one, one.intermediate_values) for one in ended if one.params and one.intermediate_values]
    return [(one, values[max(values)] + gain(max(values))) for one, values in curves]
