"""Ray Tune's interfaces over the search: a searcher that hands out trials, a scheduler that passes on its decisions.

The scheduler hears every result (Ray tells a searcher only those that do not stop), so the search is told everything
there, once, and the searcher only asks. Neither has state of its own to save: Optuna's storage is the truth. Ray
pickles both into a file that it restores from; nothing here ever does, so they pickle as empty.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from tuner.results import EpochMetrics
from tuner.search.search import Search

_METRICS = tuple(field.name for field in fields(EpochMetrics))


class SearchSearcher(Searcher):  # type: ignore[misc]
    """Asks the search for the next trial."""

    def __init__(self, search: Search) -> None:
        super().__init__(metric=search.spec.objective.metric, mode=search.spec.objective.mode)
        self._search = search

    def __getstate__(self) -> dict[str, Any]:
        """Pickle as empty."""
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next trial's configuration, None to be asked again, or FINISHED."""
        assignment = self._search.ask()
        if assignment is None:
            finished: str | None = Searcher.FINISHED if self._search.finished else None
            return finished
        return {
            "number": assignment.number,
            "config": dict(assignment.config),
            "seed": assignment.seed,
            "checkpoint": str(assignment.checkpoint),
        }

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Do nothing: the scheduler has told the search."""

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the storage has it all."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: a resumed study starts a new run from the storage."""


class SearchScheduler(FIFOScheduler):  # type: ignore[misc]
    """Passes every result to the search, and its decision back."""

    def __init__(self, search: Search) -> None:
        super().__init__()
        self._search = search
        self._keeps_actors = False

    def __getstate__(self) -> dict[str, Any]:
        """Pickle as empty."""
        return {}

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Let Ray keep an idle process for every slot.

        With `reuse_actors` Ray 2.60 (tune/utils/object_cache.py) keeps a single one: when two trials end together the
        other process is killed, and the next trial waits seconds for a new one. There is no public setting for it.
        """
        super().on_trial_add(tune_controller, trial)
        if not self._keeps_actors:
            self._keeps_actors = True
            controller = getattr(tune_controller, "_tune_controller", tune_controller)
            controller._actor_cache.increase_max(trial.placement_group_factory, self._search.slots)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return STOP when the trial failed, diverged, was stopped by a rung or is complete."""
        number = result["number"]
        if "failure" in result:
            self._search.fail(number, result["failure"])
            stop = True
        else:
            stop = self._search.report(number, EpochMetrics(**{name: result[name] for name in _METRICS}))
        return str(TrialScheduler.STOP if stop else TrialScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """End a trial whose process could not start, or was lost too often; Ray starts the others again by itself."""
        if trial.status == Trial.PENDING or not trial.should_recover():
            lines = str(trial.get_error() or "its process was lost").strip().splitlines()
            self._search.fail(trial.config["number"], f"its worker was lost: {lines[-1]}")
