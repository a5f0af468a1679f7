"""Ray Tune's interfaces over the search: a searcher that hands out trials, a scheduler that passes on its decisions.

The scheduler hears every result (Ray tells a searcher only those that do not stop), so the search is told everything
there, once, and the searcher only asks. Neither has state of its own to save: Optuna's storage is the truth. Ray
pickles both into a file that it restores from; nothing here ever does, so they pickle as empty.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError
from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from tuner.results import EpochMetrics
from tuner.search import session, sharing
from tuner.search.search import Search

_LEAST_SILENCE_SECONDS = 600.0
_EPOCHS_OF_SILENCE = 10
_DEAF_SECONDS = 1.0

_FOLLOW_SECONDS = 2.0
"""How often the cluster is asked for its nodes: an answer takes about a millisecond."""

_GIVING_WAY = "waiting: another study measures a trial on a GPU of its own; this one goes on when it has it"

_METRICS = tuple(field.name for field in fields(EpochMetrics) if field.name != "system")


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
            "epochs": assignment.epochs,
            "pausing_epochs": assignment.pausing_epochs,
        }

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Do nothing: the scheduler has told the search."""

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the storage has it all."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: a resumed study starts a new run from the storage."""


class SearchScheduler(FIFOScheduler):  # type: ignore[misc]
    """Passes every result to the search, and its decision back; lets it have as many trials as the nodes of now hold.

    A trial whose process is lost ends for Ray, and the search hands it out again: Ray's own retries would count the
    loss of a node against the trial, and end the next trial where an idle process was lost.

    With `packs` as many trials share a GPU as were measured to fit: where memory runs out all the same, one fewer from
    then on.
    """

    def __init__(self, search: Search, *, packs: bool = False) -> None:
        super().__init__()
        self._search = search
        self._packs = packs
        self._gpus = search.spec.resources.gpus_known
        self._kept_actors = 0
        self._kept_like: Any = None
        self._followed_at = float("-inf")
        self._gives_way = False
        self._said = ""

    def __getstate__(self) -> dict[str, Any]:
        """Pickle as empty."""
        return {}

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Let Ray keep an idle process for every slot.

        With `reuse_actors` Ray 2.60 (tune/utils/object_cache.py) keeps a single one: when two trials end together the
        other process is killed, and the next trial waits seconds for a new one. There is no public setting for it.
        """
        super().on_trial_add(tune_controller, trial)
        if self._gpus != self._search.spec.resources.gpus_known:
            trial.update_resources(asked_of_ray(self._search.spec.resources.cpus, self._gpus))
        kept, like = _controller(tune_controller)._actor_cache, trial.placement_group_factory
        if like != self._kept_like:
            kept.decrease_max(self._kept_like, self._kept_actors)  # those with another share of a GPU are let go
            self._kept_like, self._kept_actors = like, 0
        more, self._kept_actors = self._search.slots - self._kept_actors, self._search.slots
        kept.increase_max(like, more)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Follow the nodes that come and go; return the first trial that waits, none while it gives way."""
        controller = _controller(tune_controller)
        if time.monotonic() - self._followed_at > _FOLLOW_SECONDS:
            self._followed_at = time.monotonic()
            self._follow(controller, session.nodes())
        if self._gives_way:
            controller._cleanup_cached_actors(force_all=True)  # before an idle process gets the next trial
            return None
        return super().choose_trial_to_run(tune_controller)

    def _follow(self, controller: Any, nodes: list[session.Node]) -> None:
        wanted = self._search.spec.resources
        held = session.room(nodes, wanted.cpus, self._gpus, wanted.concurrent)
        slots = self._search.share(nodes, held, self._gpus)
        self._gives_way = slots == 0 < held
        self._say(_GIVING_WAY if self._gives_way else "" if held else session.waiting(wanted.cpus, self._gpus))
        # One trial waits in Ray for a node to come: it would wait for a searcher that has none for minutes, and deaf.
        self._search.slots = max(1, slots)
        controller.update_max_pending_trials(self._search.slots)
        if self._gives_way:
            controller._max_pending_trials = 0  # there is no public setting for none
        if controller._actor_cache.num_cached_objects + len(controller._trial_to_actor) > self._search.slots:
            controller._cleanup_cached_actors(force_all=True)  # an idle process keeps its place from another study

    def _say(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._search.note(words)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return STOP when the trial failed, diverged, was stopped by a rung or is complete."""
        number = result["number"]
        for warning in result["warnings"]:
            self._search.warn(number, warning)
        if "failure" in result:
            if result["out_of_memory"]:
                self._search.out_of_memory(number, result["failure"])
                self._pack_fewer(number)
            else:
                self._search.fail(number, result["failure"])
            stop = True
        else:
            if scores := _nested(result, "test"):
                self._search.scored(number, scores)
            values: dict[str, Any] = {name: result.get(name) for name in _METRICS}
            stop = self._search.report(number, EpochMetrics(**values, system=_nested(result, "system")))
        if stop and self._gpus and trial.temporary_state.ray_actor is not None:
            trial.temporary_state.ray_actor.let_go.remote()
        return str(TrialScheduler.STOP if stop else TrialScheduler.CONTINUE)

    def _pack_fewer(self, number: int) -> None:
        """Let one trial fewer share a GPU, of those that begin from now on."""
        after = sharing.fewer(self._gpus)
        if not self._packs or after == self._gpus:
            return
        self._gpus = after
        self._search.warn(number, f"memory ran out, so trials that begin later take resources.gpus: {after:g} each")

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Tell the search that a trial's process was lost, or could not start."""
        error = _error(trial)
        # A node is noticed to be gone seconds after its processes, which are out of reach until then.
        with_node = isinstance(error, ActorUnavailableError) or "its node has died" in str(error)
        self._search.lost(trial.config["number"], str(error), with_node=with_node)


def asked_of_ray(cpus: float, gpus: float) -> dict[str, float]:
    """Return what one trial asks of a node, in Ray's words."""
    return {"cpu": cpus, **({"gpu": gpus} if gpus else {})}


def _error(trial: Any) -> Any:
    """Return what ended a trial for Ray; its `get_error` looks where the file will be when the study has ended."""
    path = trial.pickled_error_file
    return ray.cloudpickle.loads(Path(path).read_bytes()) if path and Path(path).exists() else None


def _nested(result: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what a worker returned under a name; Ray hands schedulers a flat copy of each result (2.60)."""
    return {key.removeprefix(f"{name}/"): value for key, value in result.items() if key.startswith(f"{name}/")}


def _controller(wrapped: Any) -> Any:
    return getattr(wrapped, "_tune_controller", wrapped)


class SilenceWatch(Callback):  # type: ignore[misc]
    """Ends trials that hang: their process is killed, so that its CPUs and GPU are free for the next one.

    Only trials whose process runs are listened to: one that waits for a node to come back does not hang. A hung trial
    is not begun again (its own code hung it), unlike one whose process was lost.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._heard: dict[Trial, float] = {}
        self._longest_seconds = 0.0
        self._began = time.monotonic()

    def __getstate__(self) -> dict[str, Any]:
        """Pickle as empty."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Listen to a trial from when its process is there."""
        self._heard[trial] = time.monotonic()

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Note when it reported, and how long that took."""
        now = time.monotonic()
        self._longest_seconds = max(self._longest_seconds, now - self._heard.get(trial, now))
        self._heard[trial] = now

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Listen no more."""
        self._heard.pop(trial, None)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Listen no more."""
        self._heard.pop(trial, None)

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Note when the loop begins to listen."""
        self._began = time.monotonic()

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """End what has been silent for too long, while the loop itself listened: it may have waited for the storage."""
        now, allowed = time.monotonic(), self.allowed_seconds()
        if now - self._began > _DEAF_SECONDS:
            self._heard = {trial: heard + now - self._began for trial, heard in self._heard.items()}
        for trial in [trial for trial, heard in self._heard.items() if now - heard > allowed]:
            self._search.hang(trial.config["number"], now - self._heard.pop(trial))
            if trial.temporary_state.ray_actor is not None:
                ray.kill(trial.temporary_state.ray_actor)

    def allowed_seconds(self) -> float:
        """Return how long a trial may be silent."""
        given = self._search.spec.limits.trial_silence_minutes
        return given * 60 if given else max(_LEAST_SILENCE_SECONDS, _EPOCHS_OF_SILENCE * self._longest_seconds)
