"""The ranges in which a study searches the parameter of each ratio distribution."""

from __future__ import annotations

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from tuner.catalog import called
from tuner.search import storage
from tuner.selection.answer import Range
from tuner.selection.response import PARAMETERS, Group


def searched(study: optuna.Study) -> dict[Group, Range]:
    """Return the smallest and largest value that a sampler may draw, for each mixing method and ratio distribution.

    As the trials were drawn: a study whose file was changed has the widest of its ranges.
    """
    found: dict[Group, Range] = {}
    for trial in study.get_trials(deepcopy=False):
        mixing = storage.record(trial, {}).config.get("mixing", {}) if storage.is_started(trial) else {}
        ends = next(filter(None, (_ends(name, one) for name, one in trial.distributions.items())), None)
        if ends is not None and isinstance(mixing.get("ratio"), dict):
            group = called(mixing), called(mixing["ratio"])
            low, high = found.get(group, ends)
            found[group] = min(low, ends[0]), max(high, ends[1])
    return found


def _ends(name: str, distribution: BaseDistribution) -> Range | None:
    steps = name.split(".")
    if "ratio" not in steps or steps[-1] not in PARAMETERS:
        return None
    if isinstance(distribution, FloatDistribution | IntDistribution):
        return float(distribution.low), float(distribution.high)
    if isinstance(distribution, CategoricalDistribution):
        numbers = [float(choice) for choice in distribution.choices if isinstance(choice, int | float)]
        return (min(numbers), max(numbers)) if numbers else None
    return None
