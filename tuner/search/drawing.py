"""Draws a study's new trials: what is queued first, then what its sampler proposes."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from tuner import space, trial
from tuner.search.baselines import drawn_template
from tuner.search.samplers import SLOW, Sampler, sampler
from tuner.search.storage import is_started
from tuner.spec import StudySpec

_MOST_DRAWS = 20
"""How often is drawn, in all, where it is always what was tried enough."""

_DRAWS, _SLOW_DRAWS = 5, 1
"""How often the study's own sampler is asked of them, by how long it takes; then it is at random."""


_FIXED = "fixed_params"
"""Where Optuna keeps the parameters of a queued trial."""

_FORGOTTEN = "forgotten"
"""Marks what was only asked for when its driver died."""

_AGAIN = "again"
"""Says of a queued trial which forgotten one it repeats."""

_SEED_OF = "seed_of"
"""Says of a trial of which earlier one it is a further seed."""

_GIVEN = ("baseline", "mixing", _SEED_OF)
"""What a queued trial comes with."""


class Drawing:
    """A study's draws; a configuration that is drawn again gets another seed, up to `search.repeats` in all.

    With `search.seeds` every configuration is trained on so many before another is drawn. What is queued at the
    beginning, a grid say, is gone through once for each seed: so a study that ends early has as many of each.

    A space of few points may be tried through and through; then nothing is left to draw, and the study ends.
    """

    def __init__(self, spec: StudySpec, study: optuna.Study) -> None:
        self._spec = spec
        self._study = study
        self._template = drawn_template(spec)
        self._tried: Counter[str] = Counter()
        self._seeds = spec.search.seeds
        self._times = spec.search.repeats if self._seeds == 1 else self._seeds
        self._points = self._countable()
        self._background = ThreadPoolExecutor(1, "tuner-sampler") if spec.search.sampler in SLOW else None
        self._coming: Future[int] | None = None

    @property
    def is_drawing(self) -> bool:
        """Tell whether a trial is drawn in the background just now."""
        return self._coming is not None

    @property
    def trials_wanted(self) -> int:
        """Return how many trials the study has in all when it is done."""
        if self._spec.search.sampler == "grid":
            trials = [one for one in self._study.get_trials(deepcopy=False) if _SEED_OF not in one.user_attrs]
            return self._seeds * sum(is_started(one) or one.state is OptunaState.WAITING for one in trials)
        return self._spec.search.trials // self._seeds * self._seeds

    def count(self, config: str) -> None:
        """Count a configuration (its JSON text) that was drawn."""
        self._tried[config] += 1

    def is_over(self) -> bool:
        """Tell whether every trial of the study has been drawn, or the space is exhausted."""
        trials = self._study.get_trials(deepcopy=False)
        if any(one.state is OptunaState.WAITING for one in trials) or self._lacking() is not None:
            return False
        if self._spec.search.sampler == "grid" or self._is_exhausted():
            return True
        return sum(map(is_started, trials)) + self._seeds > self._spec.search.trials

    def next(self, *, may_wait: bool) -> int | None:
        """Return a new trial's number; None while a slow sampler draws it and the caller has other things to do."""
        if self._background is None:
            return self._draw()
        self._coming = self._coming or self._background.submit(self._draw)
        if not may_wait and not self._coming.done():
            return None
        number, self._coming = self._coming.result(), None
        return number

    def abandon(self) -> int | None:
        """Wait for the draw in progress, and return the number of its trial, which nobody has started."""
        coming, self._coming = self._coming, None
        return coming.result() if coming is not None and coming.exception() is None else None

    def _draw(self) -> int:
        """Take the first queued trial or ask the sampler, and write down the configuration and seed.

        What was tried often enough is drawn again: by the sampler, then at random, then from what is left.
        """
        self._queue_seed()
        own = self._spec.search.sampler
        own_draws = _SLOW_DRAWS if own in SLOW else _DRAWS
        for attempt in range(self._rejected(), _MOST_DRAWS):
            handle, config = self._proposed(own if attempt < own_draws else "random")
            text = json.dumps(config, sort_keys=True)
            if self._is_queued(handle) or self._tried[text] < self._times or attempt == _MOST_DRAWS - 1:
                break
            if attempt >= own_draws and self._points:
                self._queue_untried(handle.number)
            self._study.tell(handle, state=OptunaState.FAIL)  # without a configuration, so nobody hears of it
        handle.set_user_attr("seed", self._spec.seed + self._tried[text])
        handle.set_user_attr("config", text)  # last: with it a trial counts as drawn
        self._tried[text] += 1
        return handle.number

    def _rejected(self) -> int:
        """Return how many draws an earlier driver has rejected already for the trial that is to be drawn."""
        ended = [one for one in self._study.get_trials(deepcopy=False) if _FORGOTTEN not in one.user_attrs]
        is_rejected = [one.state is OptunaState.FAIL and "config" not in one.user_attrs for one in ended]
        return next((index for index, one in enumerate(reversed(is_rejected)) if not one), len(is_rejected))

    def _proposed(self, sampler_name: Sampler) -> tuple[optuna.Trial, dict[str, Any]]:
        trials = self._study.get_trials(deepcopy=False)
        number = next((t.number for t in trials if t.state is OptunaState.WAITING), len(trials))
        # Without the forgotten, so that those are drawn again as they were, and with a configuration's seeds as one.
        number -= sum(_FORGOTTEN in one.user_attrs or _SEED_OF in one.user_attrs for one in trials)
        self._study.sampler = sampler(sampler_name, self._spec.seed, number, self._template, self._seeds)
        handle = self._study.ask()
        template = self._template
        block = handle.user_attrs.get("mixing")
        if block is not None:
            template = replace(template, entries={**template.entries, "mixing": space.parse(json.loads(block))})
        return handle, trial.resolve(space.suggest(handle, template))

    def _lacking(self) -> str | None:
        """Return the configuration that lacks most of its seeds, the first of several; None where none does."""
        if self._seeds == 1:
            return None
        fewest = min(self._tried, key=self._tried.__getitem__, default=None)
        return fewest if fewest is not None and self._tried[fewest] < self._seeds else None

    def _queue_seed(self) -> None:
        """Queue the next seed of a configuration that lacks one, behind all that waits."""
        trials = self._study.get_trials(deepcopy=False)
        lacking = self._lacking()
        if lacking is None or any(one.state is OptunaState.WAITING for one in trials):
            return
        first = next(one for one in trials if one.user_attrs.get("config") == lacking)
        given = {key: value for key, value in first.user_attrs.items() if key in _GIVEN}
        self._study.enqueue_trial(first.params, user_attrs={**given, _SEED_OF: first.number})

    def _queue_untried(self, number: int) -> None:
        """Queue one of the points that were tried least, at random, by the study's seed and the trial's number."""
        points = self._points or {}
        fewest = min(self._tried[text] for text in points)
        candidates = [point for text, point in points.items() if self._tried[text] == fewest]
        rng = np.random.default_rng([self._spec.seed, number])
        self._study.enqueue_trial(candidates[rng.integers(len(candidates))])

    def _countable(self) -> dict[str, dict[str, Any]]:
        """Return every point of the space by its configuration, where a study could try them all."""
        count = space.count_points(self._template)
        if self._spec.search.sampler == "grid" or count is None:
            return {}
        if count * self._times > self._spec.search.trials:
            return {}
        points = space.grid(self._template)
        configs = (space.suggest(optuna.trial.FixedTrial(point), self._template) for point in points)
        return {
            json.dumps(trial.resolve(config), sort_keys=True): point
            for config, point in zip(configs, points, strict=True)
        }

    def _is_exhausted(self) -> bool:
        return bool(self._points) and all(self._tried[text] >= self._times for text in self._points)

    def _is_queued(self, handle: optuna.Trial) -> bool:
        frozen = self._study.get_trials(deepcopy=False)[handle.number]
        return bool(frozen.user_attrs) or _FIXED in frozen.system_attrs


def requeue(study: optuna.Study, frozen: FrozenTrial) -> None:
    """Queue again a trial that was asked for but not yet written down when its driver died: nothing ran.

    It may be called again for the same trial after a driver that died in the middle of it.
    """
    if frozen.state is not OptunaState.RUNNING:
        return
    given = {key: value for key, value in frozen.user_attrs.items() if key in _GIVEN}
    is_there = any(one.user_attrs.get(_AGAIN) == frozen.number for one in study.get_trials(deepcopy=False))
    if (given or _FIXED in frozen.system_attrs) and not is_there:
        study.enqueue_trial(frozen.system_attrs.get(_FIXED, {}), user_attrs={**given, _AGAIN: frozen.number})
    optuna.Trial(study, frozen._trial_id).set_user_attr(_FORGOTTEN, True)
    study.tell(frozen.number, state=OptunaState.FAIL)
