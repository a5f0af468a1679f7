"""One configuration trained on several seeds: what it comes to, and which one is best."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuner.results.records import TrialRecord, TrialState


@dataclass(frozen=True)
class OverSeeds:
    """One configuration's trials that ran to the end, of one seed or several: what it is compared by is their mean."""

    trials: tuple[TrialRecord, ...]

    @property
    def first(self) -> TrialRecord:
        """Return the trial that stands for the configuration."""
        return self.trials[0]

    def has(self, trial: TrialRecord) -> bool:
        """Tell whether a trial is one of these."""
        return any(one.number == trial.number for one in self.trials)

    @property
    def values(self) -> tuple[float, ...]:
        """Return the last value of each trial."""
        return tuple(trial.curve[-1] for trial in self.trials)

    @property
    def mean(self) -> float:
        """Return the mean of the last values."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Return the standard deviation between seeds; None of one."""
        return statistics.stdev(self.values) if len(self.trials) > 1 else None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"mean": self.mean, "spread": self.spread, "seeds": [trial.seed for trial in self.trials]}

    def averaged(self) -> TrialRecord:
        """Return the first trial with the curve that is the mean of all."""
        curves = zip(*(trial.curve for trial in self.trials), strict=False)
        return replace(self.first, curve=tuple(map(statistics.fmean, curves)))


def over_seeds(trials: Sequence[TrialRecord]) -> list[OverSeeds]:
    """Return every configuration whose trials, of one seed or several, ran to the end, in the order of the trials."""
    return _grouped([trial for trial in trials if trial.state is TrialState.COMPLETE])


def averaged(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return one trial for each configuration that ended well or was stopped, with the mean of its seeds' curves.

    A mean goes as far as all of the seeds. Of a configuration that was stopped on some of them the others count.
    """
    complete = over_seeds(trials)
    known = {group.first.configuration for group in complete}
    others = [one for one in trials if one.state is not TrialState.COMPLETE and one.configuration not in known]
    stopped = _grouped([one for one in others if one.state is TrialState.PRUNED and one.curve])
    return sorted((one.averaged() for one in (*complete, *stopped)), key=lambda one: one.number)


def seeds_of(trial: TrialRecord | None, trials: Sequence[TrialRecord]) -> OverSeeds | None:
    """Return those trials of one trial's configuration that ran to the end; None where none did."""
    return next((group for group in over_seeds(trials) if trial is not None and group.has(trial)), None)


def best_of(trials: Sequence[TrialRecord], maximise: bool) -> TrialRecord | None:
    """Return the first trial of the configuration with the best last value, the earliest of equals.

    Trials that ran to the end count; where a configuration has several seeds, by the mean over them.
    """
    sign = 1 if maximise else -1
    best = max(over_seeds(trials), key=lambda one: (sign * one.mean, -one.first.number), default=None)
    return None if best is None else best.first


def unmixed_baseline(trials: Sequence[TrialRecord], maximise: bool) -> TrialRecord | None:
    """Return what mixing has to beat: the best complete trial without mixing, or the given one while none is.

    There are several where something else is searched beside the mixing, and then the best of them is the fair one.
    """
    unmixed = [trial for trial in trials if trial.params.get("mixing.name") == "none"]
    return best_of(unmixed, maximise) or next((trial for trial in unmixed if trial.baseline), None)


def _grouped(trials: Sequence[TrialRecord]) -> list[OverSeeds]:
    """Return trials of one configuration together, as long as their seeds differ."""
    groups: dict[tuple[str, int], dict[int, TrialRecord]] = {}
    for trial in sorted(trials, key=lambda one: one.number):
        key, place = trial.configuration, 0
        while trial.seed in groups.get((key, place), {}):
            place += 1
        groups.setdefault((key, place), {})[trial.seed] = trial
    return [OverSeeds(tuple(group.values())) for group in groups.values()]
