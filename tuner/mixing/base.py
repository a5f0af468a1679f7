"""A mixture is a value: whose examples go into each output, and with what share of the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    """Row i says which examples of the batch make output i, and each one's share of the target.

    A policy draws mixtures whose first column is the example itself (`sources[i, 0] == i`); methods rely on
    that. A method returns the mixture that it really applied, whose ratios may differ from the drawn ones
    (CutMix's clipped box) and whose rows need not sum to 1.
    """

    sources: Int[Tensor, "batch n"]
    ratios: Float[Tensor, "batch n"]

    def targets(self, labels: Int[Tensor, " batch"], classes: int) -> Float[Tensor, "batch classes"]:
        """Return each output's share of every class: the ratios of its sources, summed by their labels."""
        shares = self.ratios.new_zeros(len(labels), classes)
        return shares.scatter_add_(1, labels[self.sources], self.ratios)

    def to(self, device: torch.device) -> Mixture:
        """Return the mixture on `device`, without making the host wait for it."""
        return Mixture(self.sources.to(device, non_blocking=True), self.ratios.to(device, non_blocking=True))


@runtime_checkable
class Method(Protocol):
    """Mix a batch: a pure function of features, mixture and randomness, its options already bound.

    It never writes to `features`, keeps their shape, dtype and memory format, and takes all randomness
    from `rng`, a generator on the CPU, so that the host never waits for the device.
    """

    def __call__(
        self, features: Float[Tensor, "batch *map"], mixture: Mixture, rng: torch.Generator
    ) -> tuple[Float[Tensor, "batch *map"], Mixture]:
        """Return the mixed features and the mixture really applied."""
        ...


@dataclass(frozen=True)
class MethodFacts:
    """What is known of a method before it runs.

    `counts` is the smallest and largest number of sources (None: no limit), `any_depth` says that it can
    mix hidden maps too, `convex_only` that its ratios must sum to 1, `published` is the ratio block of the
    setting that its paper recommends for CIFAR (reference for `search.baselines: literature`).
    """

    counts: tuple[int, int | None]
    any_depth: bool = False
    convex_only: bool = True
    extra_forward: int = 0
    extra_backward: int = 0
    published: dict[str, object] | None = None
