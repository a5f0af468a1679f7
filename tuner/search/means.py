"""What a sampler learns from where each configuration is trained on several seeds: one trial each, with their mean."""

from __future__ import annotations

import copy
import statistics
from collections.abc import Container, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState


class Means(BaseSampler):
    """Asks another sampler, which sees a configuration's seeds as one trial.

    Of N trials of one configuration as they are, N would be among the best where one is lucky and the sampler draws
    close to it, and a Gaussian process would count what is one place N times.
    """

    def __init__(self, own: BaseSampler) -> None:
        self._own = own

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return what the sampler draws together."""
        return self._own.infer_relative_search_space(_Averaged(study), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return those parameters."""
        return self._own.sample_relative(_Averaged(study), trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return one parameter."""
        return self._own.sample_independent(_Averaged(study), trial, param_name, param_distribution)


class _Averaged(optuna.Study):
    """A study as samplers see it: of each configuration the first trial, which stands for all its seeds."""

    def __init__(self, study: optuna.Study) -> None:
        self.__dict__.update(study.__dict__)
        self._whole = study

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        found = _averaged(self._whole.get_trials(deepcopy=False))
        wanted = [one for one in found if states is None or one.state in states]
        return copy.deepcopy(wanted) if deepcopy else wanted


def _averaged(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    groups: dict[str, list[FrozenTrial]] = {}
    for one in trials:
        groups.setdefault(one.user_attrs.get("config", f"trial {one.number}"), []).append(one)
    return [group[0] if len(group) == 1 else _as_one(group) for group in groups.values()]


def _as_one(group: Sequence[FrozenTrial]) -> FrozenTrial:
    """Return seeds as one trial: running while one of them is, else as those ended that got furthest."""
    states = {one.state for one in group}
    order = (TrialState.RUNNING, TrialState.WAITING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    state = next(one for one in order if one in states)
    counting = [one for one in group if one.state is state]
    epochs = set.intersection(*(set(one.intermediate_values) for one in counting))
    found = copy.copy(group[0])
    found.state = state
    found.value = statistics.fmean(one.value or 0.0 for one in counting) if state is TrialState.COMPLETE else None
    found.intermediate_values = {
        epoch: statistics.fmean(one.intermediate_values[epoch] for one in counting) for epoch in sorted(epochs)
    }
    found.datetime_complete = None if state is TrialState.RUNNING else group[-1].datetime_complete
    return found
