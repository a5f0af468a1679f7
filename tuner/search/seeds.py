"""Draws a confirmation's trainings: the baseline and every finalist still in the race, on the same fresh seeds."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from tuner.results import CLASSIFIED, REGRESSED
from tuner.search.live import TEST_SCORES
from tuner.search.search import RETRIED
from tuner.search.storage import history
from tuner.selection.finalists import Candidate
from tuner.selection.racing import Race, race
from tuner.selection.second_axes import LARGER_IS_BETTER, Scored
from tuner.spec import StudySpec
from tuner.spec.study import Study

FIRST_SEED = 1000
"""Fresh seeds begin so far above the study's own: a search that used them would have drawn one policy as often."""

_LARGEST_SEED = 2**31 - 1

_CANDIDATE = "candidate"

_SCORED: Mapping[str, str] = {name: name.removeprefix("val_") for name in (*CLASSIFIED, *REGRESSED)}
"""What a metric of the validation examples is called on the test split; the others have no counterpart there."""


def fresh_seeds(settings: Study | StudySpec) -> tuple[int, ...]:
    """Return the seeds that no trial of the search had, as many as `confirm.seeds`."""
    first = settings.seed + FIRST_SEED
    return tuple((first + index) % (_LARGEST_SEED + 1) for index in range(settings.confirm.seeds))


class Seeds:
    """The trainings of a race, seed by seed, the baseline first; each configuration trains on the same seeds."""

    is_drawing = False

    def __init__(
        self, study: optuna.Study, candidates: Sequence[Candidate], seeds: Sequence[int], metric: str, maximise: bool
    ) -> None:
        self._study = study
        self._candidates = {one.key: one for one in candidates}
        self._baseline = next(one.key for one in candidates if one.is_baseline)
        self._seeds = seeds
        self._metric = metric
        self._maximise = maximise

    @property
    def trials_wanted(self) -> int:
        """Return how many trainings there are if nobody is dropped."""
        return len(self._candidates) * len(self._seeds)

    def race(self) -> Race:
        """Return where the race stands."""
        keys = [key for key in self._candidates if key != self._baseline]
        return race(keys, self._baseline, self._seeds, scores(self._study, self._metric), self._maximise)

    def count(self, config: str) -> None:
        """Do nothing: seeds are given, not counted."""

    def is_over(self) -> bool:
        """Tell whether no training is left to begin."""
        return not self._todo()

    def next(self, *, may_wait: bool) -> int | None:
        """Return the next training's trial."""
        key, seed = self._todo()[0]
        handle = self._study.ask()
        handle.set_user_attr(_CANDIDATE, key)
        handle.set_user_attr("seed", seed)
        handle.set_user_attr("config", json.dumps(self._candidates[key].config, sort_keys=True))
        return handle.number

    def abandon(self) -> int | None:
        """Return nothing: no training is drawn in the background."""
        return None

    def _todo(self) -> list[tuple[str, int]]:
        running = {
            training_of(one)
            for one in self._study.get_trials(deepcopy=False, states=(OptunaState.RUNNING,))
            if "config" in one.user_attrs
        }
        return [training for training in self.race().todo if training not in running]


def training_of(frozen: FrozenTrial) -> tuple[str, int]:
    """Return which candidate a training is of, and its seed."""
    return str(frozen.user_attrs[_CANDIDATE]), int(frozen.user_attrs["seed"])


def trainings(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trainings that are over, without those that failed and were given another chance."""
    retried = study.user_attrs.get(RETRIED, ())
    over = [one for one in study.get_trials(deepcopy=False) if one.state.is_finished() and "config" in one.user_attrs]
    return [one for one in over if one.number not in retried]


def scores(study: optuna.Study, metric: str) -> dict[str, dict[int, float | None]]:
    """Return what each candidate scored, by its key and seed: on the test split where the metric has a counterpart.

    None stands for a training that failed.
    """
    found: dict[str, dict[int, float | None]] = {}
    for frozen in trainings(study):
        key, seed = training_of(frozen)
        failed = frozen.state is not OptunaState.COMPLETE
        found.setdefault(key, {})[seed] = None if failed else _score(scores_on_test(frozen), frozen, metric)
    return found


def tested(study: optuna.Study) -> dict[str, dict[int, Scored]]:
    """Return all that each candidate scored on the test split, by its key and seed, of trainings that did not fail."""
    found: dict[str, dict[int, Scored]] = {}
    for frozen in trainings(study):
        scored = scores_on_test(frozen)
        if frozen.state is OptunaState.COMPLETE and scored:
            key, seed = training_of(frozen)
            seconds = [metrics.seconds for metrics in history(frozen)[1:]]  # the first also loads and compiles
            found.setdefault(key, {})[seed] = Scored(
                {name: float(scored[name]) for name in LARGER_IS_BETTER if name in scored},
                _by_class(scored),
                statistics.median(seconds) if seconds else None,
            )
    return found


def _by_class(scored: Mapping[str, Any]) -> tuple[float | None, ...]:
    pairs = zip(scored.get("class_accuracy", ()), scored.get("class_examples", ()), strict=True)
    return tuple(float(accuracy) if examples else None for accuracy, examples in pairs)


def scores_on_test(frozen: FrozenTrial) -> Mapping[str, Any]:
    """Return all that a training scored on the test split."""
    scored: Mapping[str, Any] = frozen.user_attrs.get(TEST_SCORES, {})
    return scored


def _score(scored: Mapping[str, Any], frozen: FrozenTrial, metric: str) -> float | None:
    value = scored.get(_SCORED[metric]) if metric in _SCORED else frozen.value
    return None if value is None else float(value)
