"""The worker's side: a Ray Tune trainable that trains one trial after another, an epoch a step."""

from __future__ import annotations

import gc
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from tuner import trial
from tuner.datasets import Split
from tuner.training import Training, checkpoint

CHECKPOINT_SECONDS = 5.0
"""At most this much training is lost with a worker."""


class TrialActor(tune.Trainable):  # type: ignore[misc]
    """Trains the trial it is given; `reset_config` gives the same process the next one.

    A step returns `{"number": ..., **metrics}` or, where the trial's own code raised, `{"number": ..., "failure":
    ...}`: the process stays good for the next trial. What may have spoilt the device is raised, so that Ray replaces
    the process.
    """

    def setup(self, config: dict[str, Any], split: Split) -> None:
        """Take the dataset (shared memory, one copy a node) and the first trial."""
        assigned = ray.get_runtime_context().get_assigned_resources()
        torch.set_num_threads(max(1, int(assigned.get("CPU", 1))))
        self.device = torch.device("cuda" if assigned.get("GPU") and torch.cuda.is_available() else "cpu")
        self.split = split
        self.validation = trial.validation_split(split, self.device)
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Forget the last trial altogether and take the next one."""
        self.training: Training | None = None
        if self.device.type == "cuda":
            gc.collect()  # a fifth of a second, for what cycles keep of the device's memory
            torch.cuda.empty_cache()
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train one epoch, going on from the trial's last checkpoint if it has one.

        The state before the epoch is saved, not the one after it: Tune asks for a step when the study has stored the
        last one, so a checkpoint is never ahead of what is stored, and a trial that goes on misses no epoch.
        """
        try:
            if self.training is None:
                self.training = self._continued()
            else:
                self._save_if_due(self.training)
            metrics = self.training.run_epoch(self.validation)
        except torch.AcceleratorError:
            raise
        except Exception as error:  # the trial's own code may raise anything; it is told to the study in words
            return {"number": self.number, "failure": f"{type(error).__name__}: {error}"}
        return {"number": self.number, **asdict(metrics)}

    def _begin(self, config: dict[str, Any]) -> None:
        self.training = None
        self.number: int = config["number"]
        self.trial_config: dict[str, Any] = config["config"]
        self.seed: int = config["seed"]
        self.checkpoint_path = Path(config["checkpoint"])
        self._saved_at = time.monotonic()

    def _continued(self) -> Training:
        training = trial.build(trial.resolve(self.trial_config), self.split, self.seed, self.device)
        if self.checkpoint_path.exists():
            try:
                training.restore(checkpoint.load(self.checkpoint_path))
            except ValueError:
                # Damaged on disk: the trial begins again, and its epochs come out the same.
                self.checkpoint_path.unlink()
        return training

    def _save_if_due(self, training: Training) -> None:
        if time.monotonic() - self._saved_at >= CHECKPOINT_SECONDS:
            checkpoint.save(self.checkpoint_path, training.state())
            self._saved_at = time.monotonic()
