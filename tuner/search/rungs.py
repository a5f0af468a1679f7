"""A study's rungs as its trials meet them: who goes on, who stops, who pauses and is continued later.

Where a configuration is trained on several seeds, they meet a rung together: each waits there for the others, and the
mean of all decides for all. All of it follows from what is stored of each trial: its values, the rung that let it
pass, the rung it pauses at.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

import optuna
from optuna.trial import FrozenTrial, TrialState

from tuner.search import causes
from tuner.search.asha import Asha, Decision
from tuner.search.strata import stratum
from tuner.spec import StudySpec

_PASSED, _PAUSED = "passed_epoch", "paused_epoch"


@dataclass
class _Together:
    """The seeds of one configuration: values by epoch and trial, who failed, what they passed, and if they stopped."""

    values: dict[int, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    failed: set[int] = field(default_factory=set)
    passed: int = 0
    is_stopped: bool = False

    def mean(self, epoch: int) -> float:
        """Return the mean over the seeds that got so far."""
        return fmean(self.values[epoch].values())

    def leader(self, epoch: int) -> int:
        """Return the trial that stands for all at a rung."""
        return min(self.values[epoch])


class Rungs:
    """ASHA over a study's strata; with `scheduler.promote` trials that fall short pause instead of stopping."""

    def __init__(self, spec: StudySpec) -> None:
        scheduler = spec.scheduler
        grace_epochs = spec.epochs if scheduler.name == "fifo" else scheduler.grace_epochs  # then there is no rung
        self._asha = Asha(spec.epochs, grace_epochs, scheduler.reduction, spec.objective.mode == "max")
        self._promotes = scheduler.promote
        self._seeds = spec.search.seeds
        self._metric = spec.objective.metric
        self._strata = scheduler.strata
        self._paused: dict[int, tuple[str, int]] = {}
        self._together: dict[str, _Together] = defaultdict(_Together)
        self._group_of: dict[int, _Together] = {}

    @property
    def pausing_epochs(self) -> tuple[int, ...]:
        """Return the epochs after which a trial may have to wait, so that its state must be kept then."""
        return self._asha.rungs if self._promotes or self._seeds > 1 else ()

    @property
    def paused(self) -> tuple[int, ...]:
        """Return the numbers of the trials that pause."""
        return tuple(self._paused)

    def restore(self, frozen: FrozenTrial) -> None:
        """Take a stored trial's values, how it ended, and that it pauses, if it does."""
        own = self._stratum(frozen.user_attrs)
        group = self._group(frozen.number, frozen.user_attrs)
        group.passed = max(group.passed, int(frozen.user_attrs.get(_PASSED, 0)))
        group.is_stopped |= frozen.state is TrialState.PRUNED
        if frozen.state is TrialState.FAIL:
            group.failed.add(frozen.number)
        for epoch in self._asha.rungs:
            if epoch in frozen.intermediate_values:
                group.values[epoch][frozen.number] = frozen.intermediate_values[epoch]
            if group.values[epoch]:
                self._decision(group, own, epoch)
        if not frozen.state.is_finished() and is_paused(frozen):
            self._paused[frozen.number] = own, frozen.user_attrs[_PAUSED]

    def failed(self, handle: optuna.Trial) -> None:
        """Take that a trial failed: its other seeds wait for it no longer."""
        self._group(handle.number, handle.user_attrs).failed.add(handle.number)

    def shortfall(self, handle: optuna.Trial, epoch: int, value: float) -> str | None:
        """Record a trial's value and say what it fell short of, or for whom it waits; None where it goes on.

        It is asked once a rung: what passed, has passed, also when its epochs are repeated after a restart.
        """
        if epoch not in self._asha.rungs:
            return None
        attributes = handle.user_attrs
        if epoch <= attributes.get(_PASSED, 0):
            return None
        group = self._group(handle.number, attributes)
        group.values[epoch].setdefault(handle.number, value)
        decision = self._decision(group, self._stratum(attributes), epoch)
        if not attributes.get("baseline") and epoch > group.passed:
            if decision is None:
                return causes.waits_for_seeds(epoch, self._seeds)
            if decision.stop and decision.threshold is not None:
                group.is_stopped = not self._promotes
                said = causes.paused if self._promotes else causes.fell_short
                return said(self._metric, epoch, group.mean(epoch), decision.threshold, self._seeds)
        self._passed(group, handle, epoch)
        return None

    def pause(self, handle: optuna.Trial, epoch: int, cause: str) -> bool:
        """Let a trial wait at its rung, for its other seeds or where the scheduler does so; tell whether it waits."""
        attributes = handle.user_attrs
        own = self._stratum(attributes)
        if not self._promotes and self._decision(self._group(handle.number, attributes), own, epoch) is not None:
            return False
        handle.set_user_attr("cause", cause)
        handle.set_user_attr(_PAUSED, epoch)
        self._paused[handle.number] = own, epoch
        return True

    def promotable(self) -> int | None:
        """Return the paused trial that is to go on now, if one is."""
        standing: dict[int, tuple[str, int]] = {}
        followers: dict[int, int] = {}
        for number, (own, epoch) in sorted(self._paused.items()):
            group = self._group_of[number]
            if group.passed >= epoch:
                return number
            if not group.is_stopped and self._decision(group, own, epoch) is not None:
                standing[group.leader(epoch)] = own, epoch
                followers.setdefault(group.leader(epoch), number)
        leader = self._asha.promotable(standing)
        return None if leader is None else followers[leader]

    def fallen(self) -> int | None:
        """Return a trial that waited for its other seeds in vain, if there is one: together they fell short."""
        if self._promotes:
            return None
        for number, (own, epoch) in sorted(self._paused.items()):
            group = self._group_of[number]
            decision = None if group.passed >= epoch else self._decision(group, own, epoch)
            if group.is_stopped or (decision is not None and decision.stop):
                return number
        return None

    def promote(self, handle: optuna.Trial) -> None:
        """Let a paused trial go on."""
        _, epoch = self._paused.pop(handle.number)
        handle.set_user_attr("cause", "")
        self._passed(self._group_of[handle.number], handle, epoch)

    def settle(self, number: int) -> str:
        """Take a trial out that will not go on any more, and say why."""
        own, epoch = self._paused.pop(number)
        group = self._group_of[number]
        if self._decision(group, own, epoch) is None:
            return causes.waits_for_seeds(epoch, self._seeds)
        group.is_stopped = True
        said = causes.never_went_on if self._promotes else causes.fell_short
        return said(self._metric, epoch, group.mean(epoch), self._asha.needed(own, epoch), self._seeds)

    def _decision(self, group: _Together, own: str, epoch: int) -> Decision | None:
        """Return what the rung says of a configuration; None while some of its seeds have yet to come.

        Once all have, their mean never changes: who failed before it is left out, who fails later is not.
        """
        there = group.values[epoch]
        if len(there) + len(group.failed - there.keys()) < self._seeds:
            return None
        return self._asha.record(own, group.leader(epoch), epoch, group.mean(epoch))

    def _passed(self, group: _Together, handle: optuna.Trial, epoch: int) -> None:
        group.passed = max(group.passed, epoch)
        handle.set_user_attr(_PASSED, epoch)

    def _group(self, number: int, attributes: Mapping[str, object]) -> _Together:
        """Return the trials that a trial meets a rung with: of one seed it is alone, as often as it is drawn."""
        name = str(attributes["config"]) if self._seeds > 1 else str(number)
        return self._group_of.setdefault(number, self._together[name])

    def _stratum(self, attributes: Mapping[str, object]) -> str:
        return stratum(json.loads(str(attributes["config"])), self._strata)


def is_paused(frozen: FrozenTrial) -> bool:
    """Tell whether an unfinished trial waits at a rung."""
    return int(frozen.user_attrs.get(_PAUSED, 0)) > int(frozen.user_attrs.get(_PASSED, 0))
