"""The search itself, without Ray: who runs next, who stops, what is written down.

Ray Tune (or a simulator) drives it: `ask` for the next trial, `report` each epoch, `fail` what broke. Every event is in
Optuna's storage before anybody acts on it, and everything here is rebuilt from there.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from tuner import space, trial
from tuner.results import EpochMetrics, TrialRecord, TrialState
from tuner.search import causes, checkpoints
from tuner.search.asha import Asha
from tuner.search.baselines import drawn_template
from tuner.search.observer import Observer
from tuner.search.samplers import SLOW, sampler
from tuner.search.storage import epoch_key, history, is_started, record
from tuner.search.strata import stratum
from tuner.spec import StudySpec

_FINAL = {
    OptunaState.COMPLETE: TrialState.COMPLETE,
    OptunaState.PRUNED: TrialState.PRUNED,
    OptunaState.FAIL: TrialState.FAILED,
}

_TRIED_ALONE = "tried_alone"
_LOST = "times_lost"

_SURELY_SAVED_SECONDS = 20.0
"""After so much training a trial has a checkpoint, unless somebody removed it."""


@dataclass(frozen=True)
class Assignment:
    """What a worker needs to train one trial: its resolved configuration, its seed, where its checkpoint lies."""

    number: int
    config: Mapping[str, Any]
    seed: int
    checkpoint: Path


@dataclass
class _Live:
    """A trial that runs: Optuna's handle, what is known of it, and the stratum that it is compared in."""

    handle: optuna.Trial
    record: TrialRecord
    stratum: str


class Search:
    """One study's search: `slots` trials at a time, `spent_seconds` of its hours used before a resume.

    While `is_ours` says no (another driver has taken the study over), every trial is stopped and nothing written.
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
    ) -> None:
        self.spec = spec
        self.study = study
        self.slots = slots
        self.observers = tuple(observers)
        self.out_of_budget = False
        self.warnings: list[str] = []
        self._is_ours = is_ours
        self._metric = spec.objective.metric
        self._template = drawn_template(spec)
        self._asha = self._make_asha()
        self._live: dict[int, _Live] = {}
        self._unfinished: deque[int] = deque()
        self._background = ThreadPoolExecutor(1, "tuner-sampler") if spec.search.sampler in SLOW else None
        self._drawing: Future[optuna.Trial] | None = None
        self._alone: deque[int] = deque()
        self._epochs_trained = 0
        self._configs: Counter[str] = Counter()
        hours = spec.limits.hours
        self._deadline = None if hours is None else time.monotonic() + hours * 3600 - spent_seconds
        self._replay()

    @property
    def finished(self) -> bool:
        """Tell whether nothing runs and nothing more will be started."""
        return (not self._live and self._drawing is None and not self._may_start()) or not self._is_ours()

    @property
    def trials_wanted(self) -> int:
        """Return how many trials the study has in all when it is done."""
        if self.spec.search.sampler == "grid":
            return len(self.study.get_trials(deepcopy=False))
        return self.spec.search.trials

    def ask(self) -> Assignment | None:
        """Return the next trial to run, unfinished ones first, or None while there is none to start.

        A slow sampler draws in the background while other trials run, and until it is done there is none.
        """
        if len(self._live) >= self.slots or not self._is_ours():
            return None
        if self._drawing is None and not self._may_start():
            return None
        handle = self._next()
        if handle is None:
            return None
        live = self._enter(handle)
        self._tell(lambda observer: observer.trial_started(live.record))
        return Assignment(
            live.record.number,
            live.record.config,
            live.record.seed,
            self.checkpoint_path(live.record.number),
        )

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
        self._record(live, metrics)
        return self._decide(live, metrics)

    def fail(self, number: int, cause: str) -> None:
        """End a trial that broke."""
        live = self._live.get(number)
        if live is not None and self._is_ours():
            self._end(live, OptunaState.FAIL, cause)

    def warn(self, number: int, message: str) -> None:
        """Keep what people should know of a trial that goes on all the same."""
        self.warnings.append(f"trial {number}: {message}")

    def lost(self, number: int) -> None:
        """Count that a trial's process was lost; it goes on from its checkpoint."""
        live = self._live.get(number)
        if live is not None and self._is_ours():
            live.handle.set_user_attr(_LOST, self.times_lost(number) + 1)
            self.warn(number, "its process was lost, and it went on from its last checkpoint")

    def times_lost(self, number: int) -> int:
        """Return how often a running trial's process was lost, also under earlier drivers."""
        live = self._live.get(number)
        return 0 if live is None else int(live.handle.user_attrs.get(_LOST, 0))

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
        if live.handle.user_attrs.get(_TRIED_ALONE):
            self._end(live, OptunaState.FAIL, error)
            return
        live.handle.set_user_attr(_TRIED_ALONE, True)
        self._set_aside(number, self._alone, causes.out_of_memory(error))

    def interrupt(self, cause: str) -> None:
        """Leave every running trial to a later resume: it keeps its checkpoint and its place."""
        if self._drawing is not None and self._drawing.exception() is None:
            self._unfinished.append(self._drawing.result().number)
        self._drawing = None
        for number in list(self._live):
            self._set_aside(number, self._unfinished, cause)

    def checkpoint_path(self, number: int) -> Path:
        """Return where a trial's last checkpoint lies."""
        return checkpoints.last(self.spec.name, number)

    def too_many_failures(self) -> bool:
        """Tell whether the study's first trials all failed, so that going on would waste the rest."""
        ended = [t for t in self.study.get_trials(deepcopy=False) if t.state.is_finished() and is_started(t)]
        return len(ended) >= self.spec.limits.failures and all(t.state is OptunaState.FAIL for t in ended)

    def has_complete(self) -> bool:
        """Tell whether any trial ran to its end."""
        return any(trial.state is OptunaState.COMPLETE for trial in self.study.get_trials(deepcopy=False))

    def wants_more(self) -> bool:
        """Tell whether trials are left to run, whatever the budget says."""
        return bool(self._alone) or not self._is_drawing_over()

    def _is_drawing_over(self) -> bool:
        """Tell whether all is done but the trials that are tried once more on their own."""
        trials = self.study.get_trials(deepcopy=False)
        if self._unfinished or any(trial.state is OptunaState.WAITING for trial in trials):
            return False
        started = sum(is_started(trial) for trial in trials)
        return self.spec.search.sampler == "grid" or started >= self.spec.search.trials

    def _may_start(self) -> bool:
        return not self._is_spent() and not self.too_many_failures() and self.wants_more()

    def _next(self) -> optuna.Trial | None:
        if self._drawing is None and self._is_drawing_over():
            # What ran out of memory goes on when nothing else is on the device.
            return None if self._live else self._resumed(self._alone.popleft())
        return self._resumed(self._unfinished.popleft()) if self._unfinished else self._drawn()

    def _drawn(self) -> optuna.Trial | None:
        """Return a new trial, or None while a slow sampler draws it and others run that need the event loop."""
        if self._background is None:
            return self._draw()
        self._drawing = self._drawing or self._background.submit(self._draw)
        if self._live and not self._drawing.done():
            return None
        handle, self._drawing = self._drawing.result(), None
        return handle

    def _draw(self) -> optuna.Trial:
        """Take the first enqueued trial or ask the sampler, and write down the configuration and seed."""
        trials = self.study.get_trials(deepcopy=False)
        number = next((t.number for t in trials if t.state is OptunaState.WAITING), len(trials))
        self.study.sampler = sampler(self.spec.search.sampler, self.spec.seed, number, self._template)
        handle = self.study.ask()
        template = self._template
        block = handle.user_attrs.get("mixing")
        if block is not None:
            template = replace(template, entries={**template.entries, "mixing": space.parse(json.loads(block))})
        config = trial.resolve(space.suggest(handle, template))
        text = json.dumps(config, sort_keys=True)
        handle.set_user_attr("config", text)
        handle.set_user_attr("seed", self.spec.seed + self._configs[text])
        self._configs[text] += 1
        return handle

    def _resumed(self, number: int) -> optuna.Trial:
        frozen = self.study.get_trials(deepcopy=False)[number]
        trained = sum(metrics.seconds for metrics in history(frozen))
        if trained > _SURELY_SAVED_SECONDS and not self.checkpoint_path(number).exists():
            self.warn(number, f"its checkpoint {self.checkpoint_path(number)} is gone: it began again at epoch 1")
        return optuna.Trial(self.study, frozen._trial_id)

    def _enter(self, handle: optuna.Trial) -> _Live:
        live = _Live(handle, self._frozen(handle.number), "")
        live.stratum = stratum(live.record.config, self.spec.scheduler.strata)
        self._live[handle.number] = live
        return live

    def _record(self, live: _Live, metrics: EpochMetrics) -> None:
        """Write the epoch down; one that was reported before (a resumed trial) is left as it was."""
        if metrics.epoch <= live.record.epochs:
            return
        values = metrics.as_dict()
        live.handle.set_user_attr(epoch_key(metrics.epoch), values)
        live.handle.report(values[self._metric], metrics.epoch)
        live.record = replace(live.record, curve=(*live.record.curve, values[self._metric]), metrics=values)
        self._epochs_trained += 1
        self._tell(lambda observer: observer.epoch_reported(live.record, metrics))

    def _decide(self, live: _Live, metrics: EpochMetrics) -> bool:
        value = metrics.as_dict()[self._metric]
        epochs = self.spec.epochs
        if metrics.epoch >= epochs:
            self._end(live, OptunaState.COMPLETE, causes.complete(epochs), value)
            return True
        if self._is_spent():
            limits = self.spec.limits
            over = causes.out_of_hours(limits.hours) if self._over_deadline() else causes.out_of_epochs(limits.epochs)
            self.interrupt(over)
            return True
        if self._asha is None:
            return False
        decision = self._asha.record(live.stratum, live.record.number, metrics.epoch, value)
        if not decision.stop or decision.threshold is None or live.record.baseline:
            return False
        self._end(live, OptunaState.PRUNED, causes.fell_short(self._metric, metrics.epoch, value, decision.threshold))
        return True

    def _set_aside(self, number: int, queue: deque[int], cause: str) -> None:
        interrupted = replace(self._live.pop(number).record, cause=cause)
        queue.append(number)
        self._end_for_observers(interrupted)

    def _end(self, live: _Live, state: OptunaState, cause: str, value: float | None = None) -> None:
        live.handle.set_user_attr("cause", cause)
        self.study.tell(live.handle, value, state=state)
        del self._live[live.record.number]
        self._end_for_observers(replace(live.record, state=_FINAL[state], cause=cause))

    def _replay(self) -> None:
        """Rebuild rungs, seeds and the unfinished trials from the storage."""
        for frozen in self.study.get_trials(deepcopy=False):
            if "config" not in frozen.user_attrs:
                self._forget(frozen)
                continue
            self._epochs_trained += len(frozen.intermediate_values)
            self._configs[frozen.user_attrs["config"]] += 1
            config = json.loads(frozen.user_attrs["config"])
            own = stratum(config, self.spec.scheduler.strata)
            for epoch in sorted(frozen.intermediate_values if self._asha else ()):
                self._asha.record(own, frozen.number, epoch, frozen.intermediate_values[epoch])  # type: ignore[union-attr]
            if frozen.state is OptunaState.RUNNING:
                aside = self._alone if frozen.user_attrs.get(_TRIED_ALONE) else self._unfinished
                aside.append(frozen.number)

    def _forget(self, frozen: FrozenTrial) -> None:
        """Queue again a trial that was asked for but not yet written down when the driver died: nothing ran."""
        if frozen.state is OptunaState.RUNNING:
            self.study.tell(frozen.number, state=OptunaState.FAIL)
            if fixed := frozen.system_attrs.get("fixed_params"):
                self.study.enqueue_trial(fixed, user_attrs=frozen.user_attrs)
            elif frozen.user_attrs:
                self.study.enqueue_trial({}, user_attrs=frozen.user_attrs)

    def _make_asha(self) -> Asha | None:
        scheduler = self.spec.scheduler
        if scheduler.name == "fifo":
            return None
        return Asha(self.spec.epochs, scheduler.grace_epochs, scheduler.reduction, self.spec.objective.mode == "max")

    def _is_spent(self) -> bool:
        epochs = self.spec.limits.epochs
        self.out_of_budget = self._over_deadline() or (epochs is not None and self._epochs_trained >= epochs)
        return self.out_of_budget

    def _over_deadline(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _frozen(self, number: int) -> TrialRecord:
        return record(self.study.get_trials(deepcopy=False)[number], {})

    def _end_for_observers(self, record: TrialRecord) -> None:
        self._tell(lambda observer: observer.trial_ended(record))

    def _tell(self, event: Callable[[Observer], None]) -> None:
        for observer in self.observers:
            event(observer)
