"""What everybody uses, to compare with: Ray Tune's own ASHA over configurations drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import optuna
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from tests.search.simulator import Curves, Simulated, drive
from tuner import space, trial
from tuner.results import EpochMetrics, TrialRecord, TrialState, best_of, flatten
from tuner.search.samplers import sampler
from tuner.search.search import Assignment
from tuner.space import Section
from tuner.spec import StudySpec


def simulate(spec: StudySpec, curves: Curves, workers: int, template: Section) -> Simulated:
    """Run a study as Ray Tune would: no mixing is first, and then a choice like any other, stopped like any other.

    `template` is what the others are drawn from: the file's own space, or ours, which leaves out no mixing.
    """
    search = Stock(spec, template)
    seconds = drive(search, curves, workers)
    trials = tuple(search.records[number] for number in sorted(search.records))
    return Simulated(trials, best_of(trials, maximise=True), seconds)


@dataclass
class Stock:
    """Ray's scheduler, asked as its event loop asks it."""

    spec: StudySpec
    template: Section
    records: dict[int, TrialRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._study = optuna.create_study()
        scheduler = self.spec.scheduler
        self._asha = AsyncHyperBandScheduler(
            time_attr="epoch",
            metric="value",
            mode="max",
            max_t=self.spec.epochs,
            grace_period=scheduler.grace_epochs,
            reduction_factor=scheduler.reduction,
        )

    def ask(self) -> Assignment | None:
        """Return the next trial until there are as many as the study file wants."""
        if len(self.records) == self.spec.search.trials:
            return None
        number = len(self.records)
        config = self._draw(number)
        self.records[number] = TrialRecord(
            number, TrialState.RUNNING, "", flatten(config), (), {}, self.spec.seed, config=config
        )
        self._asha.on_trial_add(None, SimpleNamespace(trial_id=number))
        return Assignment(number, config, self.spec.seed, None)

    def _draw(self, number: int) -> dict[str, Any]:
        self._study.sampler = sampler(self.spec.search.sampler, self.spec.seed, number, self.template)
        drawn = space.suggest(self._study.ask(), self.template)
        return trial.resolve(drawn if number else drawn | {"mixing": {"name": "none"}})

    def report(self, number: int, metrics: EpochMetrics) -> bool:
        """Return whether Ray's scheduler stops the trial."""
        value = metrics.val_accuracy
        own = replace(self.records[number], curve=(*self.records[number].curve, value))
        result = {"epoch": metrics.epoch, "value": value}
        stops = self._asha.on_trial_result(None, SimpleNamespace(trial_id=number), result) == TrialScheduler.STOP
        if stops:
            whole = metrics.epoch >= self.spec.epochs
            own = replace(own, state=TrialState.COMPLETE if whole else TrialState.PRUNED)
            self._asha.on_trial_complete(None, SimpleNamespace(trial_id=number), result)
        self.records[number] = own
        return stops
