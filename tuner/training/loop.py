"""The training of one trial: an epoch at a time, on the device, without the host waiting inside an epoch."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tuner.losses import Loss
from tuner.mixing import Guide, Mixture, Policy, guide
from tuner.mixing.policy import MethodPolicy
from tuner.models import forward
from tuner.results import EpochMetrics
from tuner.training.augment import Augmentation
from tuner.training.batches import DeviceSplit, Scaling, normalised
from tuner.training.metrics import Scores, scores
from tuner.training.randomness import RandomStreams
from tuner.training.schedule import Schedule

Precision = Literal["fp32", "bf16"]

_EVALUATION_BATCH = 1000


@dataclass(frozen=True)
class Recipe:
    """How a model is trained, apart from the mixing policy: what stays the same between policies.

    `precision: bf16` runs the model under autocast; losses, ratios and metrics stay in float32.
    """

    loss: Loss
    schedule: Schedule
    epochs: int
    batch_size: int
    classes: int
    augment: Sequence[Augmentation] = ()
    precision: Precision = "fp32"


class Training:
    """A model in training: `run_epoch` until `epochs_done` reaches the recipe's epochs.

    `state` and `restore` carry everything that the next epoch depends on, so that a restored training continues
    the same numbers (bit for bit on the CPU).
    """

    def __init__(
        self,
        model: nn.Sequential,
        optimizer: Optimizer,
        recipe: Recipe,
        policy: Policy,
        *,
        training: DeviceSplit,
        scaling: Scaling,
        streams: RandomStreams,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.recipe = recipe
        self.policy = policy
        self.training = training
        self.scaling = scaling
        self.streams = streams
        self.epochs_done = 0
        self._rates = [group["lr"] for group in optimizer.param_groups]

    def run_epoch(self, validation: DeviceSplit) -> EpochMetrics:
        """Train one epoch, validate on unmixed images, and return what was measured."""
        start = time.perf_counter()
        with self.streams.own():
            loss = self._train()
        trained = time.perf_counter()
        measured = self.evaluate(validation)
        self.epochs_done += 1
        return EpochMetrics(
            epoch=self.epochs_done,
            train_loss=loss,
            val_accuracy=measured.accuracy,
            val_nll=measured.nll,
            val_ece=measured.ece,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            examples_per_second=len(self.training) / (trained - start),
            seconds=time.perf_counter() - start,
        )

    def evaluate(self, split: DeviceSplit) -> Scores:
        """Return the model's scores on a split, unmixed and unaugmented."""
        self.model.eval()
        with torch.inference_mode(), self._autocast():
            logits = [self.model(self.normalised(images)) for images, _ in split.batches(_EVALUATION_BATCH)]
            return scores(torch.cat(logits).float(), split.labels)

    def normalised(self, images: Tensor) -> Tensor:
        """Return bytes as the network gets them."""
        return normalised(images, self.scaling)

    def guide(self, method: MethodPolicy, inputs: Tensor, labels: Tensor) -> Guide | None:
        """Return what guides a method on normalised images, if it asks for anything: the extra passes happen here."""
        if method.saliency is None:
            return None
        contrast = 255 * self.scaling[0]  # a channel's white less its black, as the network gets them
        return guide(method.saliency, self.model, inputs, labels, contrast)

    def state(self) -> dict[str, Any]:
        """Return a copy of all that training goes on from, as tensors and plain values."""
        return {
            "model": copy.deepcopy(self.model.state_dict()),
            "optimizer": copy.deepcopy(self.optimizer.state_dict()),
            "epochs_done": self.epochs_done,
            "random": self.streams.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.model.load_state_dict(state["model"])
        # A copy: torch's optimizers keep the tensors that they are given, and write to them.
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.epochs_done = state["epochs_done"]
        self.streams.restore(state["random"])

    def _train(self) -> float:
        self.model.train()
        order = torch.randperm(len(self.training), generator=self.streams.order)
        total = torch.zeros((), device=self.training.device)
        examples = 0
        steps = -(-len(order) // self.recipe.batch_size)
        for step, (images, labels) in enumerate(self.training.batches(self.recipe.batch_size, order)):
            self._set_learning_rate(self.epochs_done + step / steps)
            total += self._step(images, labels) * len(labels)
            examples += len(labels)
        # The one place in an epoch where the host waits for the device.
        return float(total) / examples

    def _step(self, images: Tensor, labels: Tensor) -> Tensor:
        for augment in self.recipe.augment:
            images = augment(images, self.streams.augment)
        self.optimizer.zero_grad(set_to_none=True)
        with self._autocast():
            logits, targets = self._mixed(self.normalised(images), labels)
            loss = self.recipe.loss(logits, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach()

    def _mixed(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the mixed batch and its targets; an unmixed one is a mixture of one source."""
        epochs_left = self.recipe.epochs - self.epochs_done
        drawn = self.policy.draw(len(labels), self.streams.mixing, epochs_left)
        if drawn is None:
            return self.model(inputs), self._unmixed(labels).targets(labels, self.recipe.classes)
        leading = self.guide(drawn.policy, inputs, labels)
        applied: list[Mixture] = []

        def mix(features: Tensor) -> Tensor:
            mixed, really = drawn.apply(features, self.streams.mixing, leading)
            applied.append(really)
            return mixed

        logits = forward(self.model, inputs, drawn.depth, mix)
        return logits, applied[0].targets(labels, self.recipe.classes)

    def _unmixed(self, labels: Tensor) -> Mixture:
        own = torch.arange(len(labels), device=labels.device)[:, None]
        return Mixture(own, torch.ones(len(labels), 1, device=labels.device))

    def _set_learning_rate(self, epochs_done: float) -> None:
        factor = self.recipe.schedule(epochs_done, self.recipe.epochs)
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor

    def _autocast(self) -> AbstractContextManager[object]:
        if self.recipe.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.training.device.type, torch.bfloat16)
