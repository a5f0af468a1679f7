"""The search itself, without Ray: who runs next, who stops, what is written down.

Ray Tune (or a simulator) drives it: `ask` for the next trial, `report` each epoch, `fail` what broke. Every event is in
Optuna's storage before anybody acts on it, and everything here is rebuilt from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from tuner.results import EpochMetrics, TrialRecord
from tuner.search import causes, checkpoints
from tuner.search.assignment import Assignment, Draws
from tuner.search.budget import Budget
from tuner.search.drawing import Drawing, requeue
from tuner.search.live import Live, is_to_run_alone
from tuner.search.observer import Observer
from tuner.search.queue import Share, all_of_it
from tuner.search.rungs import Rungs, is_paused
from tuner.search.storage import has_complete, history, is_started
from tuner.spec import StudySpec

RETRIES = 3
"""How often a trial whose process is lost begins again, from its last checkpoint."""

RETRIED = "retried"
"""A study's attribute: the numbers of failed trials that were given another chance, and count no more."""

_SURELY_SAVED_SECONDS = 20.0
"""After so much training a trial has a checkpoint, unless somebody removed it."""


class Search:
    """One study's search: `slots` trials at a time, `spent_seconds` of its hours used before a resume.

    While `is_ours` says no (another driver has taken the study over), every trial is stopped and nothing written.
    New trials come from `draws`, by default from the study's sampler. `share` says how many of the trials that
    a cluster's nodes hold are this study's, and others leave it a GPU inside of `measuring`.
    """

    def __init__(
        self,
        spec: StudySpec,
        study: optuna.Study,
        slots: int,
        observers: Sequence[Observer] = (),
        *,
        spent_seconds: float = 0.0,
        is_ours: Callable[[], bool] = lambda: True,
        draws: Draws | None = None,
    ) -> None:
        self.spec = spec
        self.study = study
        self.slots = slots
        self.observers = tuple(observers)
        self.share: Share = all_of_it
        self.measuring: Callable[[], AbstractContextManager[None]] = nullcontext
        self.out_of_budget = False
        self.warnings: list[str] = []
        self._is_ours = is_ours
        self._metric = spec.objective.metric
        self._drawing: Draws = Drawing(spec, study) if draws is None else draws
        self._rungs = Rungs(spec)
        self._budget = Budget(spec.limits, spent_seconds)
        self._live: dict[int, Live] = {}
        self._unfinished: deque[int] = deque()
        self._alone: deque[int] = deque()
        self._epochs_trained = 0
        self._replay()

    @property
    def finished(self) -> bool:
        """Tell whether nothing runs and nothing more will be started."""
        is_idle = not self._live and not self._drawing.is_drawing
        return (is_idle and not self._may_start()) or not self._is_ours()

    @property
    def trials_wanted(self) -> int:
        """Return how many trials the study has in all when it is done."""
        return self._drawing.trials_wanted

    def ask(self) -> Assignment | None:
        """Return the next trial to run, unfinished ones first, or None while there is none to start.

        A slow sampler draws in the background while other trials run, and until it is done there is none.
        """
        while len(self._live) < self.slots and self._is_ours() and (self._drawing.is_drawing or self._may_start()):
            number = self._next()
            if number is None:
                return None
            live = self._enter(number)
            if not self._is_decided(live):
                return self._assignment(live.record)
        return None

    def report(self, number: int, metrics: EpochMetrics) -> bool:
        """Record an epoch of a trial and return whether the trial must stop now.

        NaN and infinity end the trial as diverged; the last epoch completes it; a rung may prune it.
        """
        live = self._live.get(number)
        if live is None or not self._is_ours():
            return True
        if wrong := metrics.wrong():
            self._end(live, OptunaState.FAIL, causes.impossible(wrong))
            return True
        if not metrics.is_finite():
            self._end(live, OptunaState.FAIL, causes.diverged(metrics))
            return True
        if metrics.epoch < live.record.epochs:
            return False  # repeated after a checkpoint, and decided then, among the trials of then
        self._epochs_trained += metrics.epoch > live.record.epochs
        live.report(metrics)
        return self._decide(live, metrics.epoch, metrics.as_dict()[self._metric])

    def scored(self, number: int, scores: Mapping[str, Any]) -> None:
        """Store what a trial scored on the test split; it comes before its last epoch, which ends it."""
        live = self._live.get(number)
        if live is not None and self._is_ours():
            live.keep_scores(scores)

    def fail(self, number: int, cause: str) -> None:
        """End a trial that broke."""
        live = self._live.get(number)
        if live is not None and self._is_ours():
            self._end(live, OptunaState.FAIL, cause)

    def warn(self, number: int, message: str) -> None:
        """Keep what people should know of a trial that goes on all the same."""
        self.warnings.append(f"trial {number}: {message}")

    def note(self, words: str) -> None:
        """Show people what the study waits for; nothing when it goes on."""
        for observer in self.observers:
            observer.noted(words)

    def lost(self, number: int, reason: str, *, with_node: bool = False) -> None:
        """Let a trial whose process was lost go on from its checkpoint, `RETRIES` times, also over several drivers.

        Where the process went down with its node, that is not the trial's fault, and not counted.
        """
        live = self._live.get(number)
        if live is None or not self._is_ours():
            return
        if not with_node and live.times_lost >= RETRIES:
            self._end(live, OptunaState.FAIL, causes.lost_too_often(reason))
            return
        if not with_node:
            live.count_loss()
        what = "node" if with_node else "process"
        self.warn(number, f"its {what} was lost, and it went on from its last checkpoint")
        (self._alone if live.runs_alone else self._unfinished).append(number)
        self._live.pop(number).set_aside(causes.lost(what))

    def hang(self, number: int, seconds: float) -> None:
        """End a trial that reported nothing for so long."""
        live = self._live.get(number)
        if live is not None:
            self.fail(number, causes.silent(seconds, live.record.epochs))

    def out_of_memory(self, number: int, error: str) -> None:
        """Try a trial once more at the end, from its checkpoint, with no other beside it; a second time it fails."""
        live = self._live.get(number)
        if live is None or not self._is_ours():
            return
        if live.runs_alone:
            self._end(live, OptunaState.FAIL, error)
            return
        self._alone.append(number)
        self._live.pop(number).set_aside(causes.out_of_memory(error), alone=True)

    def interrupt(self, cause: str) -> None:
        """Leave every running trial to a later resume: it keeps its checkpoint and its place."""
        drawn = self._drawing.abandon()
        if drawn is not None:
            self._unfinished.append(drawn)
        for number in list(self._live):
            self._unfinished.append(number)
            self._live.pop(number).set_aside(cause)

    def checkpoint_path(self, number: int) -> Path:
        """Return where a trial's last checkpoint lies."""
        return checkpoints.last(self.study.study_name, number)

    def too_many_failures(self) -> bool:
        """Tell whether the study's first trials all failed, so that going on would waste the rest."""
        retried = self.study.user_attrs.get(RETRIED, ())
        trials = [one for one in self.study.get_trials(deepcopy=False) if one.number not in retried]
        ended = [one for one in trials if one.state.is_finished() and is_started(one)]
        return len(ended) >= self.spec.limits.failures and all(one.state is OptunaState.FAIL for one in ended)

    def has_complete(self) -> bool:
        """Tell whether any trial ran to its end."""
        return has_complete(self.study)

    def wants_more(self) -> bool:
        """Tell whether trials are left to run, whatever the budget says."""
        return bool(self._unfinished or self._alone or self._rungs.paused) or not self._drawing.is_over()

    def _may_start(self) -> bool:
        return not self._is_spent() and not self.too_many_failures() and self.wants_more()

    def _next(self) -> int | None:
        """Return what runs next: what was interrupted, what was paused and may go on, what is new, what runs alone."""
        if any(live.runs_alone for live in self._live.values()):
            return None
        if self._unfinished:
            return self._resumed(self._unfinished.popleft())
        while (fallen := self._rungs.fallen()) is not None:
            self._stop_paused(fallen)
        promoted = self._rungs.promotable()
        if promoted is not None:
            self._rungs.promote(optuna.Trial(self.study, self._frozen(promoted)._trial_id))
            (self._alone if is_to_run_alone(self._frozen(promoted)) else self._unfinished).append(promoted)
            return self._next()
        if self._drawing.is_drawing or not self._drawing.is_over():
            return self._drawing.next(may_wait=not self._live)
        if self._live:
            return None
        if self._alone:
            # What ran out of memory goes on when nothing else is on the device.
            return self._resumed(self._alone.popleft())
        self._settle()
        return None

    def _settle(self) -> None:
        """Stop what paused to the end: nothing runs any more that could let it go on."""
        for number in self._rungs.paused:
            self._stop_paused(number)

    def _stop_paused(self, number: int) -> None:
        self._end(self._enter(number), OptunaState.PRUNED, self._rungs.settle(number))

    def _resumed(self, number: int) -> int:
        trained = sum(metrics.seconds for metrics in history(self._frozen(number)))
        if trained > _SURELY_SAVED_SECONDS and not self.checkpoint_path(number).exists():
            self.warn(number, f"its checkpoint {self.checkpoint_path(number)} is gone: it began again at epoch 1")
        return number

    def _frozen(self, number: int) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[number]

    def _enter(self, number: int) -> Live:
        live = self._live[number] = Live(self.study, number, self._metric, self.observers)
        return live

    def _assignment(self, trial: TrialRecord) -> Assignment:
        return Assignment(
            trial.number,
            trial.config,
            trial.seed,
            self.checkpoint_path(trial.number),
            trial.epochs,
            self._rungs.pausing_epochs,
        )

    def _is_decided(self, live: Live) -> bool:
        """Decide what a driver left undecided that died when it had stored an epoch; tell whether the trial ended."""
        if not live.record.epochs:
            return False
        return self._decide(live, live.record.epochs, live.record.curve[-1])

    def _decide(self, live: Live, epoch: int, value: float) -> bool:
        """Decide after an epoch whether the trial must stop now."""
        if epoch >= self.spec.epochs:
            self._end(live, OptunaState.COMPLETE, causes.complete(epoch), value)
            return True
        if self._is_spent():
            self.interrupt(self._budget.cause())
            return True
        shortfall = self._rungs.shortfall(live.handle, epoch, value)
        if shortfall is None:
            return False
        if self._rungs.pause(live.handle, epoch, shortfall):
            self._live.pop(live.record.number).set_aside(shortfall)
        else:
            self._end(live, OptunaState.PRUNED, shortfall)
        return True

    def _end(self, live: Live, state: OptunaState, cause: str, value: float | None = None) -> None:
        del self._live[live.record.number]
        if state is OptunaState.FAIL:
            self._rungs.failed(live.handle)
        live.end(state, cause, value)
        self.checkpoint_path(live.record.number).unlink(missing_ok=True)

    def _replay(self) -> None:
        """Rebuild rungs, seeds and the unfinished trials from the storage."""
        for frozen in self.study.get_trials(deepcopy=False):
            if "config" not in frozen.user_attrs:
                requeue(self.study, frozen)
                continue
            self._epochs_trained += len(frozen.intermediate_values)
            self._drawing.count(frozen.user_attrs["config"])
            self._rungs.restore(frozen)
            if frozen.state is OptunaState.RUNNING and not is_paused(frozen):
                aside = self._alone if is_to_run_alone(frozen) else self._unfinished
                aside.append(frozen.number)

    def _is_spent(self) -> bool:
        self.out_of_budget = self._budget.is_spent(self._epochs_trained)
        return self.out_of_budget
