"""How much each searched parameter matters for being among the best, by Optuna's PED-ANOVA.

A parameter matters where the best trials have other values of it than all trials have; one that only some trials have
(alpha, of a method that was not drawn) counts among those that have it. Optuna divides the numbers by their sum, so
that something always looks important, even where the objective is pure luck. So each is held against what it comes to
when the objectives are dealt out to the trials at random.

Optuna (5.0, importance/_ped_anova) takes trials that ran to the end alone, and by default the best tenth of them: of 20
trials two, where its own documentation asks for 5. Here it is the best quarter, of `BEST` at least: of ten simulated
studies of 40 trials with a planted effect that finds it in ten, and a tenth in six.

Source: Watanabe et al., PED-ANOVA (arXiv 2304.10255); conditional parameters: arXiv 2601.20800.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

BEST, NEEDED = 5, 10
"""Trials that count as the best, at least, and that must have run to the end for a word about importance."""

_QUANTILE = 0.25
_FEW = 5
_MOST = 400  # trials that are looked at: luck is dealt out to them two hundred times
_SHUFFLES = 200
_CHANCE = 0.05


@dataclass(frozen=True)
class Importance:
    """One parameter's part of all importance, and what it would reach by chance in one of twenty studies."""

    parameter: str
    share: float
    by_chance: float
    trials: int

    @property
    def is_clear(self) -> bool:
        """Tell whether it is more than chance would have made of it."""
        return self.share > self.by_chance


@dataclass(frozen=True)
class Importances:
    """The searched parameters, the most important first, the clear ones before; none where too few ran to the end.

    They are about being among the `best` of the `finished` trials.
    """

    parameters: tuple[Importance, ...]
    finished: int
    best: int
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return them as plain values."""
        parameters = [{**asdict(one), "is_clear": one.is_clear} for one in self.parameters]
        return {**asdict(self), "parameters": parameters}


def importances(study: optuna.Study) -> Importances:
    """Return how much each of a study's parameters matters; its evaluation is the same every time."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    finished = len(trials)
    if finished < NEEDED:
        return Importances((), finished, 0, (f"{finished} trials ran to the end; importances need {NEEDED}",))
    some = _copy(study, trials)
    losses = {trial.number: _loss(study, trial) for trial in some.get_trials(deepcopy=False)}
    quantile = max(_QUANTILE, BEST / finished)
    best = _best(list(losses.values()), quantile)
    if best > len(losses) / 2:
        said = f"{best} of {len(losses)} trials are equally good; that tells of no importance"
        return Importances((), finished, best, (said,))
    found = _evaluated(some, losses, quantile)
    total = sum(found.values())
    if not total:
        return Importances((), finished, best, ("no parameter was drawn in more than one finished trial",))
    by_chance = _by_chance(some, losses, quantile, found)
    drawn = {name: sum(name in trial.params for trial in trials) for name in found}
    ranked = sorted(found, key=lambda name: (found[name] <= by_chance[name], -found[name], name))
    parameters = tuple(Importance(name, found[name] / total, by_chance[name] / total, drawn[name]) for name in ranked)
    return Importances(parameters, finished, best, _warnings(study, parameters))


def _copy(study: optuna.Study, trials: Sequence[FrozenTrial]) -> optuna.Study:
    """Return a study in memory of these trials, or of some of them, evenly, where there are very many."""
    some = optuna.create_study(storage=InMemoryStorage(), direction=study.direction)
    steps = np.linspace(0, len(trials) - 1, min(len(trials), _MOST)).round().astype(int)
    some.add_trials([trials[step] for step in steps])
    return some


def _evaluated(study: optuna.Study, losses: Mapping[int, float], quantile: float) -> dict[str, float]:
    """Return Optuna's numbers, before they are divided by their sum."""
    evaluator = PedAnovaImportanceEvaluator(target_quantile=quantile)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a target is minimised, and that a parameter was drawn once
        return evaluator.evaluate(study, target=lambda trial: losses[trial.number])


def _by_chance(
    study: optuna.Study, losses: Mapping[int, float], quantile: float, found: Mapping[str, float]
) -> dict[str, float]:
    """Return what each number stays below under chance, so that in 19 of 20 studies they all do."""
    rng = np.random.default_rng(0)
    numbers = sorted(losses)
    values = np.array([losses[number] for number in numbers])
    shuffled = [
        _evaluated(study, dict(zip(numbers, rng.permutation(values).tolist(), strict=True)), quantile)
        for _ in range(_SHUFFLES)
    ]
    level = 1 - _CHANCE / max(1, sum(value > 0 for value in found.values()))
    return {name: float(np.quantile([one[name] for one in shuffled], level)) for name in found}


def _best(losses: list[float], quantile: float) -> int:
    """Return how many trials are among the best, equal ones included."""
    limit = sorted(losses)[int(np.ceil(quantile * len(losses))) - 1]
    return sum(loss <= limit for loss in losses)


def _loss(study: optuna.Study, trial: FrozenTrial) -> float:
    value = float(trial.values[0])
    return -value if study.direction is StudyDirection.MAXIMIZE else value


def _warnings(study: optuna.Study, parameters: tuple[Importance, ...]) -> tuple[str, ...]:
    found = []
    stopped = len(study.get_trials(deepcopy=False, states=(TrialState.PRUNED,)))
    if stopped:
        found.append(f"{stopped} stopped trials do not count: what made them stop may look unimportant")
    few = [one.parameter for one in parameters if one.trials < _FEW]
    if few:
        found.append(f"drawn in fewer than {_FEW} finished trials: {', '.join(few)}")
    if not any(one.is_clear for one in parameters):
        found.append("no parameter matters more than chance would make it seem")
    return tuple(found)
