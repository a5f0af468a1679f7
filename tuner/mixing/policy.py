"""A policy draws, for each batch, whether to mix, at which depth, with whom and with what ratios."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from tuner.mixing.base import Method, MethodFacts, Mixture
from tuner.mixing.ratios import RatioDistribution

Mix = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Policy:
    """A mixing method with its ratio distribution, the share of batches it mixes, and its depths.

    Raises:
        ValueError: the method cannot mix that many sources, at these depths, or with ratios that sum to less than 1.
    """

    name: str
    method: Method
    facts: MethodFacts
    ratio: RatioDistribution
    probability: float = 1.0
    depths: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        low, high = self.facts.counts
        if self.ratio.count < low or (high is not None and self.ratio.count > high):
            wanted = str(low) if low == high else f"{low} to {high or 'any number of'}"
            raise ValueError(f"{self.name} mixes {wanted} sources, got {self.ratio.count}; use mixup for other counts")
        if self.facts.convex_only and self.ratio.scale != 1:
            raise ValueError(f"{self.name} needs ratios that sum to 1, got scale {self.ratio.scale:g}; set scale to 1")
        if not self.depths:
            raise ValueError("depths is empty; give at least one depth, 0 for the image")
        if min(self.depths) < 0 or (max(self.depths) > 0 and not self.facts.any_depth):
            raise ValueError(f"{self.name} mixes at depth 0 only, got depths {list(self.depths)}")

    def draw(self, batch: int, rng: torch.Generator) -> tuple[Mixture, int] | None:
        """Draw a mixture of `batch` examples and its depth, or None: leave this batch unmixed.

        `rng` is on the CPU, and so is what is drawn: small, and without a wait for the device.
        """
        if float(torch.rand((), generator=rng)) >= self.probability:
            return None
        depth = self.depths[int(torch.randint(len(self.depths), (), generator=rng))]
        others = [torch.randperm(batch, generator=rng) for _ in range(self.ratio.count - 1)]
        sources = torch.stack([torch.arange(batch), *others], dim=1)
        return Mixture(sources, self.ratio.draw(batch, rng)), depth

    def apply(
        self, features: Shaped[Tensor, "batch *map"], mixture: Mixture, rng: torch.Generator
    ) -> tuple[Float[Tensor, "batch *map"], Mixture]:
        """Mix features by a drawn mixture; return them with the mixture really applied, on their device.

        Raises:
            ValueError: the features are not of floating point (the bytes of an image, say).
        """
        if not features.is_floating_point():
            raise ValueError(f"mixing needs floating point features, got {features.dtype}; convert and normalise first")
        return self.method(features, mixture.to(features.device), rng)

    def expected_strength(self) -> float:
        """Return probability x E[1 - largest share]: 0 for no mixing, on one scale for all methods."""
        return self.probability * self.ratio.expected_strength()
