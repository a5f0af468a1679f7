"""One trial while it runs: every event is in Optuna's storage before an observer hears of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import optuna
from optuna.trial import TrialState as OptunaState

from tuner.results import EpochMetrics, TrialRecord, TrialState
from tuner.search.observer import Observer
from tuner.search.storage import epoch_key, record

_FINAL = {
    OptunaState.COMPLETE: TrialState.COMPLETE,
    OptunaState.PRUNED: TrialState.PRUNED,
    OptunaState.FAIL: TrialState.FAILED,
}

TEST_SCORES = "test"
"""The attribute that keeps what a trial scored on the test split, where it was to."""

_TRIED_ALONE = "tried_alone"
_LOST = "times_lost"


class Live:
    """A trial that was handed out; the observers hear at once that it has started.

    `runs_alone` says that no other may run beside it, because memory had run out before.
    """

    def __init__(self, study: optuna.Study, number: int, metric: str, observers: Sequence[Observer]) -> None:
        frozen = study.get_trials(deepcopy=False)[number]
        self.handle = optuna.Trial(study, frozen._trial_id)
        self.record: TrialRecord = record(frozen, {})
        self._study = study
        self._metric = metric
        self._observers = observers
        self.runs_alone = is_to_run_alone(frozen)
        for observer in observers:
            observer.trial_started(self.record)

    @property
    def times_lost(self) -> int:
        """Return how often the trial's process was lost, also under earlier drivers."""
        return int(self.handle.user_attrs.get(_LOST, 0))

    def count_loss(self) -> None:
        """Store that the trial's process was lost once more."""
        self.handle.set_user_attr(_LOST, self.times_lost + 1)

    def keep_scores(self, scores: Mapping[str, Any]) -> None:
        """Store what the trial scored on the test split."""
        self.handle.set_user_attr(TEST_SCORES, dict(scores))

    def report(self, metrics: EpochMetrics) -> None:
        """Store an epoch; one that was stored before (of a resumed trial) is left as it was."""
        if metrics.epoch <= self.record.epochs:
            return
        values = metrics.as_dict()
        self.handle.set_user_attr(
            epoch_key(metrics.epoch), values | ({"system": used} if (used := metrics.system) else {})
        )
        self.handle.report(values[self._metric], metrics.epoch)
        self.record = replace(self.record, curve=(*self.record.curve, values[self._metric]), metrics=values)
        for observer in self._observers:
            observer.epoch_reported(self.record, metrics)

    def set_aside(self, cause: str, *, alone: bool = False) -> None:
        """Leave the trial unfinished; it goes on later, `alone` if memory ran out."""
        if alone:
            self.handle.set_user_attr(_TRIED_ALONE, True)
        self._tell_end(replace(self.record, cause=cause))

    def end(self, state: OptunaState, cause: str, value: float | None = None) -> None:
        """Store the trial's end, its cause in words, and, where it is complete, its value."""
        self.handle.set_user_attr("cause", cause)
        self._study.tell(self.handle, value, state=state)
        self._tell_end(replace(self.record, state=_FINAL[state], cause=cause))

    def _tell_end(self, ended: TrialRecord) -> None:
        for observer in self._observers:
            observer.trial_ended(ended)


def is_to_run_alone(frozen: optuna.trial.FrozenTrial) -> bool:
    """Tell whether an unfinished trial waits to be tried once more with no other beside it."""
    return bool(frozen.user_attrs.get(_TRIED_ALONE))
