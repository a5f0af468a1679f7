"""The training of one trial: an epoch at a time, on the device, without the host waiting inside an epoch."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from tuner.losses import Loss
from tuner.mixing import AnyGuide, ColumnGuide, LabelGuide, Mixture, Policy, guide
from tuner.mixing.policy import MethodPolicy
from tuner.models import Mix, mixing_at
from tuner.results import EpochMetrics
from tuner.training.augment import Augmentation
from tuner.training.batches import DeviceSplit, Scaling, normalised
from tuner.training.metrics import RegressionScores, Scores, regression_scores, scores
from tuner.training.randomness import RandomStreams
from tuner.training.schedule import Schedule
from tuner.training.targets import TargetScaling

Precision = Literal["fp32", "bf16"]

_EVALUATION_BATCH = 1000


@dataclass(frozen=True)
class Recipe:
    """How a model is trained, apart from the mixing policy: what stays the same between policies.

    `classes` is 0 for a regression. `precision: bf16` runs the model under autocast; losses, ratios and metrics stay in
    float32.
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
    the same numbers (bit for bit on the CPU). `targets` says how a regression's labels are scaled; without it they are
    classes. `columns` says of a table's features which of them form a column.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        recipe: Recipe,
        policy: Policy,
        *,
        training: DeviceSplit,
        scaling: Scaling,
        streams: RandomStreams,
        memory_format: torch.memory_format = torch.channels_last,
        targets: TargetScaling | None = None,
        columns: ColumnGuide | None = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.recipe = recipe
        self.policy = policy
        self.training = training
        self.scaling = scaling
        self.streams = streams
        self.memory_format = memory_format
        self.targets = targets
        self.columns = columns
        self.epochs_done = 0
        self._rates = [group["lr"] for group in optimizer.param_groups]

    def run_epoch(self, validation: DeviceSplit) -> EpochMetrics:
        """Train one epoch, validate on unmixed examples, and return what was measured."""
        start = time.perf_counter()
        with self.streams.own():
            loss = self._train()
        trained = time.perf_counter()
        measured = self.evaluate(validation)
        self.epochs_done += 1
        values = {
            "train_loss": loss,
            **{f"val_{name}": value for name, value in asdict(measured).items()},
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "examples_per_second": len(self.training) / (trained - start),
            "seconds": time.perf_counter() - start,
        }
        return EpochMetrics.of(self.epochs_done, values)

    def evaluate(self, split: DeviceSplit) -> Scores | RegressionScores:
        """Return the model's scores on a split, unmixed and unaugmented."""
        outputs = self.outputs(split)
        return scores(outputs, split.labels) if self.targets is None else regression_scores(outputs, split.labels)

    def outputs(self, split: DeviceSplit) -> Float[Tensor, "n outputs"]:
        """Return the model's logits for a split's examples as they lie, unmixed and unaugmented.

        Of a regression they are its predictions, in the target's unit.
        """
        self.model.eval()
        with torch.inference_mode(), self._autocast():
            found = torch.cat(
                [self.model(self.normalised(images)) for images, _ in split.batches(_EVALUATION_BATCH)]
            ).float()
        return found if self.targets is None else self.targets.in_unit(found)

    def normalised(self, images: Tensor) -> Tensor:
        """Return bytes or features as the network gets them."""
        return normalised(images, self.scaling).contiguous(memory_format=self.memory_format)

    def guide(self, method: MethodPolicy, inputs: Tensor, labels: Tensor) -> AnyGuide | None:
        """Return what guides a method on normalised examples and labels as they are learnt, if it asks for anything.

        The extra passes through the model happen here.
        """
        if method.facts.guided_by == "columns":
            return self.columns
        if method.facts.guided_by == "labels":
            return LabelGuide(labels)
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
        if self.targets is not None:
            labels = self.targets.scaled(labels)
        self.optimizer.zero_grad(set_to_none=True)
        inputs = self.normalised(images)
        applied: list[Mixture] = []
        with self._autocast():
            depth, mix = self._drawn(inputs, labels, applied)
        with mixing_at(self.model, depth, mix, self.streams.mixing) as forward:
            with self._autocast():
                logits = forward(inputs)
                loss = self.recipe.loss(logits, applied[0].targets(labels, self.recipe.classes))
            loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach()

    def _drawn(self, inputs: Tensor, labels: Tensor, applied: list[Mixture]) -> tuple[int, Mix]:
        """Draw at which depth and how to mix a batch, `applied` to get the mixture; unmixed, it has one source."""
        drawn = self.policy.draw(len(labels), self.streams.mixing, self.recipe.epochs - self.epochs_done)
        leading = None if drawn is None else self.guide(drawn.policy, inputs, labels)

        def mix(features: Tensor, rng: torch.Generator) -> Tensor:
            mixed, really = (features, self._unmixed(labels)) if drawn is None else drawn.apply(features, rng, leading)
            applied.append(really)
            return mixed

        return 0 if drawn is None else drawn.depth, mix

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
