"""A mixture is a value: whose examples go into each output, and with what share of the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from tuner.mixing.ratios import RatioDistribution


@dataclass(frozen=True)
class Mixture:
    """Row i says which examples of the batch make output i, and each one's share of the target.

    A policy draws mixtures whose first column is the example itself (`sources[i, 0] == i`); methods rely on
    that. A method returns the mixture that it really applied, whose ratios may differ from the drawn ones
    (CutMix's clipped box) and whose rows need not sum to 1. `shared` is the one row of ratios that was drawn for the
    whole batch, if so; methods then draw one mask for it too, as the papers' codes do. Being plain numbers, it can be
    looked at without waiting for the device.
    """

    sources: Int[Tensor, "batch n"]
    ratios: Float[Tensor, "batch n"]
    shared: tuple[float, ...] | None = None

    def targets(self, labels: Shaped[Tensor, " batch"], classes: int) -> Float[Tensor, "batch targets"]:
        """Return each output's share of every class: the ratios of its sources, summed by their labels.

        Where the labels are numbers (of floating point), there is one target: their sum, weighted by the ratios.
        """
        if labels.is_floating_point():
            return (self.ratios * labels[self.sources]).sum(dim=1, keepdim=True)
        shares = self.ratios.new_zeros(len(labels), classes)
        return shares.scatter_add_(1, labels[self.sources], self.ratios)

    def to(self, device: torch.device) -> Mixture:
        """Return the mixture on `device`, without making the host wait for it."""
        sources, ratios = (tensor.to(device, non_blocking=True) for tensor in (self.sources, self.ratios))
        return Mixture(sources, ratios, self.shared)


@dataclass(frozen=True)
class Guide:
    """What leads a method to the parts of the images that matter.

    `saliency` is float32, not negative, and sums to 1 over each image (`tuner.mixing.saliency`). `contrast` is what
    lies between black and white in the features, channel by channel: differences of features divided by it are
    differences of images on the scale from 0 to 1, whatever the normalisation.
    """

    saliency: Float[Tensor, "batch h w"]
    contrast: Float[Tensor, "#c 1 1"]


@dataclass(frozen=True)
class ColumnGuide:
    """What leads a method to the columns of a table: for each feature the number of its column, from 0."""

    columns: Int[Tensor, " features"]
    count: int


@dataclass(frozen=True)
class LabelGuide:
    """What leads a method to partners with a label like the example's own: labels divided by their deviation."""

    labels: Float[Tensor, " batch"]


AnyGuide = Guide | ColumnGuide | LabelGuide


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


@runtime_checkable
class GuidedMethod(Protocol):
    """A method that also looks at where the images' content is, or at columns or labels; otherwise as `Method`."""

    def __call__(
        self, features: Float[Tensor, "batch *map"], mixture: Mixture, rng: torch.Generator, guide: Any
    ) -> tuple[Float[Tensor, "batch *map"], Mixture]:
        """Return the mixed features and the mixture really applied."""
        ...


@dataclass(frozen=True)
class MethodFacts:
    """What is known of a method before it runs.

    `counts` is the smallest and largest number of sources (None: no limit), `depths` where it can mix (the image,
    hidden maps, or any), `convex_only` that its ratios must sum to 1, `keeps_mass` that its targets sum to what the
    ratios sum to, `saliency` what guides it unless the study file says otherwise (None: nothing). `strength` gives
    E[1 - largest share] from the method's options and ratio distribution, where it is not that of the ratios.
    `inputs` is what it mixes: images, the rows of a table, or both; `labels` of what kind they have to be. `guided_by`
    is what else of the data it looks at: which features form a column, or the labels.
    """

    counts: tuple[int, int | None]
    depths: Literal["image", "hidden", "any"] = "image"
    convex_only: bool = True
    keeps_mass: bool = True
    saliency: str | None = None
    strength: Callable[[Mapping[str, Any], RatioDistribution], float] | None = None
    inputs: Literal["image", "table", "any"] = "image"
    labels: Literal["classes", "numbers", "any"] = "any"
    guided_by: Literal["columns", "labels"] | None = None
