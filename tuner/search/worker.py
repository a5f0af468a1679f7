"""The worker's side: a Ray Tune trainable that trains one trial after another, an epoch a step."""

from __future__ import annotations

import gc
import pickle
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from tuner import trial
from tuner.datasets import Examples, Split
from tuner.search import checkpoints, memory
from tuner.search.usage import Usage
from tuner.training import Training, checkpoint

CHECKPOINT_SECONDS = 5.0
"""At most this much training is lost with a worker."""

_UNPICKLABLE = (pickle.PicklingError, AttributeError, TypeError)
"""What pickle raises of what a network may keep in its state beside tensors: functions, locks, files."""


class TrialActor(tune.Trainable):  # type: ignore[misc]
    """Trains the trial it is given; `reset_config` gives the same process the next one.

    A step returns `{"number": ..., **metrics}` or, where the trial's own code raised, `{"number": ..., "failure":
    ...}`: the process stays good for the next trial. Where memory ran out, it says so: that is not the trial's own
    fault. What may have spoilt the device is raised, so that Ray replaces the process. `warnings` may stand beside.
    """

    scores_test = False
    checkpoint_bytes: int | None = None
    memory_bytes: int | None = None
    _test: Examples | None = None
    _usage: Usage | None = None

    def setup(
        self,
        config: dict[str, Any],
        split: Split,
        scores_test: bool = False,
        checkpoint_bytes: int | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        """Take the dataset (shared memory, one copy a node) and the first trial.

        With `scores_test` a trial's last step also returns `test`, its scores on the test split.
        What all checkpoints take stays below `checkpoint_bytes`. A trial may take `memory_bytes` of its GPU, where that
        was measured, and begins when so much is free.
        """
        assigned = ray.get_runtime_context().get_assigned_resources()
        torch.set_num_threads(max(1, int(assigned.get("CPU", 1))))
        self.device = torch.device("cuda" if assigned.get("GPU") and torch.cuda.is_available() else "cpu")
        self.split = split
        self.scores_test = scores_test
        self.checkpoint_bytes = checkpoint_bytes
        self.memory_bytes = memory_bytes
        self.share = float(assigned.get("GPU", 0.0))
        self.validation = trial.validation_split(split, self.device)
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Forget the last trial altogether and take the next one."""
        self.let_go()
        self._begin(new_config)
        return True

    def let_go(self) -> None:
        """Forget the trial and give its memory back: an idle process keeps nothing from the others on its GPU."""
        self.training: Training | None = None
        if self.device.type == "cuda":
            gc.collect()  # a fifth of a second, for what cycles keep of the device's memory
            torch.cuda.empty_cache()

    def step(self) -> dict[str, Any]:
        """Train one epoch, going on from the trial's last checkpoint if it has one.

        The state before the epoch is saved, not the one after it: Tune asks for a step when the study has stored the
        last one, so a checkpoint is never ahead of what is stored, and a trial that goes on misses no epoch. Where the
        trial may have to wait after the epoch, its state is saved with its metrics: should the study's driver die
        before it stored them, they are told again.
        """
        try:
            if self.training is None:
                self._await_memory()
                self.training, untold = self._continued()
                if untold is not None:
                    return self._told() | untold
            else:
                self._save_if_due(self.training)
            metrics = self.training.run_epoch(self.validation)
            measured = {"epoch": metrics.epoch, **metrics.as_dict(), "system": self._used()}
            if metrics.epoch in self.pausing_epochs:
                self._save_state(self.training, measured)
            if metrics.epoch >= self.training.recipe.epochs:
                self._save_network(self.training)
            scores = self._test_scores(self.training)
        except torch.AcceleratorError:
            raise
        except Exception as error:  # the trial's own code may raise anything; it is told to the study in words
            self._require_sound_device()
            failed = self._told() | self._failure(error)
        else:
            return self._told() | measured | scores
        self.let_go()  # not before: the error keeps what the training was doing
        return failed

    def _used(self) -> dict[str, float]:
        """Return what the trial used of the machine since it was last asked; where that cannot be told, it says so."""
        try:
            self._usage = self._usage or Usage(self.device)
            return self._usage.measure()
        except torch.AcceleratorError:
            raise
        except Exception as error:  # drivers and libraries raise what they like, and no trial may fail by being watched
            if "usage" not in self._warned_of:
                self._warnings.append(f"what it uses of its machine cannot be told: {type(error).__name__}: {error}")
            self._warned_of.add("usage")
            return {}

    def _test_scores(self, training: Training) -> dict[str, Any]:
        """Return what a training that is over scores on the test split, where that is asked for."""
        if not self.scores_test or training.epochs_done < training.recipe.epochs:
            return {}
        if self._test is None:
            self._test = self.split.load_test()
        return {"test": trial.score_on_test(training, self._test)}

    def _begin(self, config: dict[str, Any]) -> None:
        self.training = None
        self.number: int = config["number"]
        self.trial_config: dict[str, Any] = config["config"]
        self.seed: int = config["seed"]
        self.checkpoint_path = Path(config["checkpoint"])
        self.epochs_stored: int = config["epochs"]
        self.pausing_epochs: tuple[int, ...] = tuple(config["pausing_epochs"])
        self._saved_at = time.monotonic()
        self._warnings: list[str] = []
        self._warned_of: set[str] = set()
        self._usage = None
        self._used()  # from here on

    def _told(self) -> dict[str, Any]:
        told = {"number": self.number, "warnings": self._warnings}
        self._warnings = []
        return told

    def _continued(self) -> tuple[Training, dict[str, Any] | None]:
        """Return the trial's training, and the metrics of its last epoch if the study has not stored them yet."""
        state = self._saved()
        training = trial.build(trial.resolve(self.trial_config), self.split, self.seed, self.device)
        if state is not None:
            training.restore(state)
        is_ahead = training.epochs_done > self.epochs_stored
        return training, state.get("metrics") if state is not None and is_ahead else None

    def _saved(self) -> dict[str, Any] | None:
        """Return the trial's last checkpoint; where it is damaged the trial begins again, and repeats its numbers."""
        if not self.checkpoint_path.exists():
            return None
        try:
            return checkpoint.load(self.checkpoint_path)
        except (ValueError, OSError) as error:
            self._warnings.append(f"began again at epoch 1: {error}")
            self.checkpoint_path.unlink(missing_ok=True)
        return None

    def _save_if_due(self, training: Training) -> None:
        if time.monotonic() - self._saved_at >= CHECKPOINT_SECONDS:
            self._save_state(training, None)

    def _save_state(self, training: Training, metrics: dict[str, Any] | None) -> None:
        self._saved_at = time.monotonic()
        consequence = "if its process is lost, it repeats more"
        self._save(self.checkpoint_path, lambda: training.state() | {"metrics": metrics}, "checkpoint", consequence)

    def _save_network(self, training: Training) -> None:
        """Write the trained network to a file that no trial goes on from: it is ahead of what is stored."""
        state = partial(trial.network_state, training, self.trial_config, self.split)
        self._save(checkpoints.trained(self.checkpoint_path), state, "trained network", "its numbers are not lost")

    def _save(self, path: Path, state: Callable[[], dict[str, Any]], what: str, consequence: str) -> None:
        """Write a file where disk and budget have room; otherwise say so, once, and keep the file that was there."""
        try:
            checkpoint.save(path, state(), lambda size: checkpoints.require_room(path, size, self.checkpoint_bytes))
        except (OSError, *_UNPICKLABLE) as error:
            if what not in self._warned_of:
                self._warnings.append(f"its {what} could not be written: {error}; {consequence}")
            self._warned_of.add(what)

    def _failure(self, error: Exception) -> dict[str, Any]:
        """Return what went wrong, in words."""
        words = f"{type(error).__name__}: {error}"
        if not memory.ran_out(error):
            return {"failure": words, "out_of_memory": False}
        return {"failure": f"{words.rstrip(': ')}; {memory.in_words(self.device)}", "out_of_memory": True}

    def _await_memory(self) -> None:
        """Wait until the GPU has what the trial needs: a trial that ended elsewhere may still be giving it back.

        Where the need was not measured, it is a guess by the trial's share, and the trial is tried all the same.

        Raises:
            MemoryError: it never had.
        """
        if self.device.type != "cuda":
            return
        _, total = torch.cuda.mem_get_info(self.device)
        wanted = memory.wanted_bytes(self.memory_bytes, self.share, total)
        held = torch.cuda.memory_reserved(self.device)
        free = memory.wait_for_room(wanted - held, lambda: torch.cuda.mem_get_info(self.device)[0])
        if free is None:
            return
        words = memory.occupied(torch.cuda.get_device_name(self.device), wanted - held, free)
        if self.memory_bytes is not None:
            raise MemoryError(words)
        self._warnings.append(words)

    def _require_sound_device(self) -> None:
        """Raise what the device has to say, which may come later than the error that it caused."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
