"""A policy ready for use: images and labels in, mixed images and targets out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tuner.losses import LOSSES, Loss
from tuner.mixing import METHODS, AnyGuide, Policy
from tuner.mixing.policy import MethodPolicy
from tuner.policies.attached import Attached
from tuner.policies.checks import (
    Std,
    check_batch,
    check_data,
    check_guidance,
    check_numbers,
    guidance,
    model_wanted_by,
)
from tuner.policies.collate import Collate
from tuner.policies.file import PolicyFile
from tuner.policies.parts import most_off_epochs
from tuner.policies.randomness import Draws
from tuner.policies.step import Step

_UNKNOWN_EPOCH = -1


class LoadedPolicy:
    """Mixes batches in any training loop: `images, targets = policy(images, labels)`.

    `file` says what it is. `loss` is the trial's loss of logits and these targets, which have its label smoothing in
    them already; where it is cross-entropy, torch's does as well. `std` is what the images were divided by when they
    were normalised, for all channels or for each. A policy can be pickled; a copy draws its numbers afresh.
    """

    def __init__(self, file: PolicyFile, *, seed: int | None = None, std: Std = None) -> None:
        self.file = file
        unsmoothed = {"label_smoothing": 0.0} if "label_smoothing" in file.loss else {}
        self.loss: Loss = LOSSES.build({**file.loss, **unsmoothed})
        self._policy: Policy = METHODS.build(file.mixing)
        check_data(self._policy, file)
        self._std = std
        self._draws = Draws(seed)
        self._off_epochs = most_off_epochs(file.mixing)
        self._epoch = torch.tensor(_UNKNOWN_EPOCH)
        if self._off_epochs:  # shared, so that a DataLoader's workers that live on see an epoch that is set here
            self._epoch.share_memory_()  # type: ignore[no-untyped-call]

    def __call__(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        model: nn.Module | None = None,
        rng: torch.Generator | None = None,
        epochs_left: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the mixed images and their targets, a row of class shares each; what is given stays as it is.

        `images` are floats [batch, ...], `labels` whole numbers [batch]. Of a regression (the loss says so) labels are
        floats [batch] and targets [batch, 1]. `model` is what saliency looks at, where the
        policy is guided by it; `rng`, on the CPU, takes the place of the policy's own generator; `epochs_left`, this
        epoch included, that of `epoch`.

        Raises:
            ValueError: images or labels are not of that kind, the policy needs something that it was not given, or it
                mixes hidden layers.
        """
        if self.hidden_depths:
            raise ValueError(
                f"this policy mixes hidden layers (depths {list(self.hidden_depths)}) in the model's own forward "
                "pass: attached = policy.attach(model), and then logits, targets = attached(images, labels)"
            )
        rng = self.generator(rng)
        step = self.begin(images, labels, model, rng, epochs_left)
        mixed = step.mix(images, rng)
        return mixed, step.targets()

    def __repr__(self) -> str:
        return f"LoadedPolicy({dict(self.file.mixing)}, classes={self.file.classes}, epochs={self.file.epochs})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.file, self._draws.seed, self._std, self._epoch)

    @property
    def epoch(self) -> int | None:
        """The epoch that is being trained, from 0: to be set where the policy leaves its last epochs unmixed."""
        epoch = int(self._epoch)
        return None if epoch == _UNKNOWN_EPOCH else epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        if epoch < 0:
            raise ValueError(f"epochs count from 0, got {epoch}")
        self._epoch.fill_(epoch)

    @property
    def hidden_depths(self) -> tuple[int, ...]:
        """The depths, 1 and more, at which the policy mixes what the model's stages return."""
        return tuple(sorted({depth for method in self._policy.methods() for depth in method.depths if depth > 0}))

    @property
    def model_wanted_for(self) -> str:
        """What the policy needs the model for, in words, so that it is to be attached; empty where it needs none."""
        if self.hidden_depths:
            return f"depths {list(self.hidden_depths)}, which are hidden layers"
        return model_wanted_by(self._policy)

    def attach(self, model: nn.Module, stages: Sequence[str] = ()) -> Attached:
        """Return the policy for this model: `logits, targets = attached(images, labels)`; see `Attached`.

        `stages` names the submodules after which hidden layers are mixed, in order (`layer1`, `encoder.layers.0`).
        Without them they are those that the model has (a sequence its parts), else those that the policy file names.

        Raises:
            ValueError: the model has no such submodule, or fewer stages than the policy's depths.
        """
        return Attached(self, model, stages)

    def collate_fn(self, collate_fn: Callable[[list[Any]], Any] | None = None) -> Collate:
        """Return a `collate_fn` for a DataLoader, whose batches then are mixed images and their targets.

        `collate_fn` is the one that makes a pair of images and labels out of examples; torch's unless given.

        Raises:
            ValueError: the policy needs the model, which a DataLoader has not.
        """
        if self.model_wanted_for:
            needing = self.model_wanted_for
            raise ValueError(f"a DataLoader has no model, and this policy needs one for {needing}; use policy.attach")
        return Collate(self, collate_fn)

    def generator(self, rng: torch.Generator | None = None) -> torch.Generator:
        """Return the generator to draw from: the one given, else this process's own.

        Raises:
            ValueError: the one given is not on the CPU.
        """
        if rng is not None and rng.device.type != "cpu":
            raise ValueError(f"wanted rng on the CPU, so that nobody waits for the device; got one on {rng.device}")
        return self._draws.generator() if rng is None else rng

    def begin(
        self,
        images: Tensor,
        labels: Tensor,
        model: nn.Module | None,
        rng: torch.Generator,
        epochs_left: int | None,
    ) -> Step:
        """Draw how to mix a batch, at whatever depth, and look for what guides it."""
        if self.file.is_regression:
            check_numbers(images, labels)
        elif self.file.classes is None:
            raise ValueError("the number of classes is not known; give it: load_policy(..., classes=10)")
        else:
            check_batch(images, labels, self.file.classes)
        check_guidance(self._policy, model, self._std)
        kind = torch.float32 if self.file.is_regression else torch.int64
        labels = labels.to(images.device, kind, non_blocking=True)
        drawn = self._policy.draw(len(labels), rng, self._epochs_left(epochs_left))
        leading = None if drawn is None else self._guidance(drawn.policy, images, labels, model)
        return Step(drawn, leading, labels, self.file.classes or 0, self.file.label_smoothing)

    def _guidance(
        self, method: MethodPolicy, images: Tensor, labels: Tensor, model: nn.Module | None
    ) -> AnyGuide | None:
        return guidance(method, images, labels, model=model, std=self._std, file=self.file)

    def _epochs_left(self, given: int | None) -> int | None:
        if given is not None or not self._off_epochs:
            return given
        if self.epoch is None or self.file.epochs is None:
            known = "" if self.file.epochs else ", with load_policy(..., epochs=...) before"
            raise ValueError(
                f"this policy leaves the last {self._off_epochs} epochs unmixed, and has to know when they come: set "
                f"policy.epoch (from 0) as each epoch begins{known}, or give epochs_left"
            )
        return self.file.epochs - self.epoch


def _restored(file: PolicyFile, seed: int | None, std: Std, epoch: Tensor) -> LoadedPolicy:
    """Return a policy that was pickled; in a DataLoader's worker `epoch` is the memory of who sent it."""
    policy = LoadedPolicy(file, seed=seed, std=std)
    policy._epoch = epoch
    return policy
