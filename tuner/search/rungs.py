"""A study's rungs as its trials meet them: who goes on, who stops, who pauses and is continued later.

All of it follows from what is stored of each trial: its values, the rung that let it pass, the rung it pauses at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import optuna
from optuna.trial import FrozenTrial

from tuner.search import causes
from tuner.search.asha import Asha
from tuner.search.strata import stratum
from tuner.spec import StudySpec

_PASSED, _PAUSED = "passed_epoch", "paused_epoch"


class Rungs:
    """ASHA over a study's strata; with `scheduler.promote` trials that fall short pause instead of stopping."""

    def __init__(self, spec: StudySpec) -> None:
        scheduler = spec.scheduler
        grace_epochs = spec.epochs if scheduler.name == "fifo" else scheduler.grace_epochs  # then there is no rung
        self._asha = Asha(spec.epochs, grace_epochs, scheduler.reduction, spec.objective.mode == "max")
        self._promotes = scheduler.promote
        self._metric = spec.objective.metric
        self._strata = scheduler.strata
        self._paused: dict[int, tuple[str, int]] = {}

    @property
    def pausing_epochs(self) -> tuple[int, ...]:
        """Return the epochs after which a trial may have to wait, so that its state must be kept then."""
        return self._asha.rungs if self._promotes else ()

    @property
    def paused(self) -> tuple[int, ...]:
        """Return the numbers of the trials that pause."""
        return tuple(self._paused)

    def restore(self, frozen: FrozenTrial) -> None:
        """Take a stored trial's values, and that it pauses, if it does."""
        own = self._stratum(frozen.user_attrs)
        for epoch in sorted(frozen.intermediate_values):
            self._asha.record(own, frozen.number, epoch, frozen.intermediate_values[epoch])
        if not frozen.state.is_finished() and is_paused(frozen):
            self._paused[frozen.number] = own, frozen.user_attrs[_PAUSED]

    def shortfall(self, handle: optuna.Trial, epoch: int, value: float) -> str | None:
        """Record a trial's value and say what it fell short of; None where it goes on.

        It is asked once a rung: what passed, has passed, also when its epochs are repeated after a restart.
        """
        if epoch not in self._asha.rungs:
            return None
        attributes = handle.user_attrs
        if epoch <= attributes.get(_PASSED, 0):
            return None
        decision = self._asha.record(self._stratum(attributes), handle.number, epoch, value)
        if decision.stop and decision.threshold is not None and not attributes.get("baseline"):
            said = causes.paused if self._promotes else causes.fell_short
            return said(self._metric, epoch, value, decision.threshold)
        handle.set_user_attr(_PASSED, epoch)
        return None

    def pause(self, handle: optuna.Trial, epoch: int, cause: str) -> bool:
        """Let a trial that fell short wait at its rung, where the scheduler does so, and tell whether it waits."""
        if not self._promotes:
            return False
        handle.set_user_attr("cause", cause)
        handle.set_user_attr(_PAUSED, epoch)
        self._paused[handle.number] = self._stratum(handle.user_attrs), epoch
        return True

    def promotable(self) -> int | None:
        """Return the paused trial that is to go on now, if one is."""
        return self._asha.promotable(self._paused)

    def promote(self, handle: optuna.Trial) -> None:
        """Let a paused trial go on."""
        _, epoch = self._paused.pop(handle.number)
        handle.set_user_attr("cause", "")
        handle.set_user_attr(_PASSED, epoch)

    def settle(self, number: int, value: float) -> str:
        """Take a trial out that will not go on any more, and say why."""
        own, epoch = self._paused.pop(number)
        return causes.never_went_on(self._metric, epoch, value, self._asha.needed(own, epoch))

    def _stratum(self, attributes: Mapping[str, object]) -> str:
        return stratum(json.loads(str(attributes["config"])), self._strata)


def is_paused(frozen: FrozenTrial) -> bool:
    """Tell whether an unfinished trial waits at a rung."""
    return int(frozen.user_attrs.get(_PAUSED, 0)) > int(frozen.user_attrs.get(_PASSED, 0))
