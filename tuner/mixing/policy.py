"""A policy draws, for each batch, whether to mix, by which method, at which depth, with whom and with what ratios."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from tuner.mixing.base import AnyGuide, GuidedMethod, Method, MethodFacts, Mixture
from tuner.mixing.ratios import RatioDistribution

Mix = Callable[[Tensor], Tensor]


@runtime_checkable
class Policy(Protocol):
    """What a trial mixes its batches by: one method (`MethodPolicy`), or one of several a batch (`Switch`).

    `off_epochs` is for how many of the last epochs nothing is mixed.
    """

    off_epochs: int

    def draw(self, batch: int, rng: torch.Generator, epochs_left: int | None = None) -> Drawn | None:
        """Draw how to mix a batch of `batch` examples, or None: leave it unmixed.

        `epochs_left` counts this epoch and those after it; None stands for any number. `rng` is on the CPU, and so is
        what is drawn: small, and without a wait for the device.
        """
        ...

    def methods(self) -> tuple[MethodPolicy, ...]:
        """Return the policies of single methods that this one draws from."""
        ...

    def expected_strength(self) -> float:
        """Return probability x E[1 - largest share]: 0 for no mixing, on one scale for all methods."""
        ...


@dataclass(frozen=True)
class MethodPolicy:
    """A mixing method with its ratio distribution, the share of batches it mixes, and its depths.

    `saliency` names what guides the method, if anything does (`tuner.mixing.saliency`); `options` are the method's own.

    Raises:
        ValueError: the method cannot mix that many sources, at these depths, or with ratios that sum to less than 1.
    """

    name: str
    method: Method | GuidedMethod
    facts: MethodFacts
    ratio: RatioDistribution
    probability: float = 1.0
    depths: tuple[int, ...] = (0,)
    off_epochs: int = 0
    saliency: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        low, high = self.facts.counts
        if self.ratio.count < low or (high is not None and self.ratio.count > high):
            wanted = str(low) if low == high else f"{low} to {high or 'any number of'}"
            raise ValueError(f"{self.name} mixes {wanted} sources, got {self.ratio.count}; use mixup for other counts")
        if self.facts.convex_only and self.ratio.scale != 1:
            raise ValueError(f"{self.name} needs ratios that sum to 1, got scale {self.ratio.scale:g}; set scale to 1")
        if not self.depths:
            raise ValueError("depths is empty; give at least one depth, 0 for the image")
        if max(self.depths) > 0 and self.facts.depths == "image":
            raise ValueError(f"{self.name} mixes at depth 0 only, got depths {list(self.depths)}")
        if min(self.depths) < 1 and self.facts.depths == "hidden":
            raise ValueError(f"{self.name} mixes at hidden depths only, 1 or more, got depths {list(self.depths)}")

    def draw(self, batch: int, rng: torch.Generator, epochs_left: int | None = None) -> Drawn | None:
        """Draw a mixture of `batch` examples and its depth, or None (see `Policy.draw`)."""
        if epochs_left is not None and epochs_left <= self.off_epochs:
            return None
        if float(torch.rand((), generator=rng)) >= self.probability:
            return None
        chosen = int(torch.randint(len(self.depths), (), generator=rng)) if len(self.depths) > 1 else 0
        others = [torch.randperm(batch, generator=rng) for _ in range(self.ratio.count - 1)]
        sources = torch.stack([torch.arange(batch), *others], dim=1)
        ratios = self.ratio.draw(batch, rng)
        shared = tuple(ratios[0].tolist()) if self.ratio.per == "batch" else None
        return Drawn(self, Mixture(sources, ratios, shared), self.depths[chosen])

    def apply(
        self,
        features: Shaped[Tensor, "batch *map"],
        mixture: Mixture,
        rng: torch.Generator,
        guide: AnyGuide | None = None,
    ) -> tuple[Float[Tensor, "batch *map"], Mixture]:
        """Mix features by a drawn mixture; return them with the mixture really applied, on their device.

        Raises:
            ValueError: the features are not of floating point (the bytes of an image, say), or a method that wants a
                guide got none.
        """
        if not features.is_floating_point():
            raise ValueError(f"mixing needs floating point features, got {features.dtype}; convert and normalise first")
        mixture = mixture.to(features.device)
        if not self.is_guided:
            return self.method(features, mixture, rng, **self.options)
        if guide is None:
            by = self.facts.guided_by or f"saliency {self.saliency}"
            raise ValueError(f"{self.name} is guided by {by}; give a guide, see mixing.base and mixing.saliency")
        return self.method(features, mixture, rng, guide, **self.options)  # type: ignore[call-arg]

    @property
    def is_guided(self) -> bool:
        """Tell whether the method looks at more than the features: where the content is, columns, labels."""
        return self.saliency is not None or self.facts.guided_by is not None

    def methods(self) -> tuple[MethodPolicy, ...]:
        """Return this policy alone."""
        return (self,)

    def expected_strength(self) -> float:
        """Return probability x E[1 - largest share]: 0 for no mixing, on one scale for all methods."""
        strength = self.facts.strength
        one = self.ratio.expected_strength() if strength is None else strength(self.options, self.ratio)
        return self.probability * one


@dataclass(frozen=True)
class Drawn:
    """How one batch is mixed: by which method's policy, from which sources, at which depth."""

    policy: MethodPolicy
    mixture: Mixture
    depth: int

    def apply(
        self, features: Shaped[Tensor, "batch *map"], rng: torch.Generator, guide: AnyGuide | None = None
    ) -> tuple[Float[Tensor, "batch *map"], Mixture]:
        """Mix features as drawn (see `MethodPolicy.apply`)."""
        return self.policy.apply(features, self.mixture, rng, guide)
