"""AutoAugment, RandAugment and TrivialAugment: a draw of operations and magnitudes for each example.

What is drawn comes from torchvision's tables. Its transforms draw once for the batch that they are given; called for
each example they take three times as long on a CPU as this and make the host wait on a GPU. Here the examples that drew
the same operation are changed together, each with its own magnitude.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Le
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tuner.training.augment.base import Augmentation, Images, on_device
from tuner.training.augment.operations import OPERATIONS

Space = Mapping[str, Any]
"""torchvision's operations by name, each with its sizes by level and whether a sign is drawn."""

Table = tuple[Float[Tensor, "operations bins"], Bool[Tensor, " operations"]]
Numbers = Int[Tensor, " batch"]

_BINS = 31
_AUTO_BINS = 10


def auto_augment(*, policy: Literal["imagenet", "cifar10", "svhn"] = "cifar10") -> Augmentation:
    """One of a policy's 25 pairs of operations for each example, each operation with its own probability.

    Source: Cubuk et al. 2018 (arXiv 1805.09501).
    """
    from torchvision.transforms import v2  # heavy

    # torchvision offers the published policies no other way.
    pairs = v2.AutoAugment(v2.AutoAugmentPolicy(policy))._policies
    space = v2.AutoAugment._AUGMENTATION_SPACE
    names = [*space, "Identity"]
    operations = torch.tensor([[names.index(name) for name, _, _ in pair] for pair in pairs])
    probabilities = torch.tensor([[probability for _, probability, _ in pair] for pair in pairs])
    levels = torch.tensor([[level or 0 for _, _, level in pair] for pair in pairs])

    def apply(images: Images, rng: torch.Generator) -> Images:
        table = _table(space, _AUTO_BINS, images)
        drawn = torch.randint(len(pairs), (len(images),), generator=rng)
        for step in range(2):
            happens = torch.rand(len(images), generator=rng) <= probabilities[drawn, step]
            chosen = torch.where(happens, operations[drawn, step], names.index("Identity"))
            sizes = _magnitudes(table, chosen, levels[drawn, step], rng)
            images = _changed(images, names, chosen, sizes)
        return images

    return apply


def rand_augment(
    *, count: Annotated[int, Ge(1), Le(14)] = 2, magnitude: Annotated[int, Ge(0), Le(_BINS - 1)] = 9
) -> Augmentation:
    """So many operations drawn evenly for each example, all of the same magnitude from 0 to 30.

    Source: Cubuk et al. 2019 (arXiv 1909.13719).
    """
    from torchvision.transforms import v2

    space = v2.RandAugment._AUGMENTATION_SPACE

    def apply(images: Images, rng: torch.Generator) -> Images:
        table = _table(space, _BINS, images)
        for _ in range(count):
            chosen = torch.randint(len(space), (len(images),), generator=rng)
            sizes = _magnitudes(table, chosen, torch.full_like(chosen, magnitude), rng)
            images = _changed(images, list(space), chosen, sizes)
        return images

    return apply


def trivial_augment_wide() -> Augmentation:
    """One operation drawn evenly for each example, with a magnitude drawn evenly from a wide range.

    Source: Müller and Hutter 2021 (arXiv 2103.10158).
    """
    from torchvision.transforms import v2

    space = v2.TrivialAugmentWide._AUGMENTATION_SPACE

    def apply(images: Images, rng: torch.Generator) -> Images:
        chosen, levels = (torch.randint(high, (len(images),), generator=rng) for high in (len(space), _BINS))
        sizes = _magnitudes(_table(space, _BINS, images), chosen, levels, rng)
        return _changed(images, list(space), chosen, sizes)

    return apply


def _table(space: Space, bins: int, images: Images) -> Table:
    """Return the sizes of a space's operations at every level for these images, and which of them have a sign."""
    levels = [of_level(bins, *images.shape[2:]) for of_level, _ in space.values()]
    sizes = [torch.zeros(bins) if values is None else values.float() for values in levels]
    signed = [signed for _, signed in space.values()]
    # The last line is for an example that none of them is done to.
    return torch.stack([*sizes, torch.zeros(bins)]), torch.tensor([*signed, False])


def _magnitudes(table: Table, chosen: Numbers, levels: Numbers, rng: torch.Generator) -> Float[Tensor, " batch"]:
    """Return the size of each example's operation at its level, with a sign drawn where the operation has one."""
    sizes, signed = table
    turned = signed[chosen] & (torch.rand(len(chosen), generator=rng) <= 0.5)
    return torch.where(turned, -1.0, 1.0) * sizes[chosen, levels]


def _changed(images: Images, names: list[str], chosen: Numbers, magnitudes: Float[Tensor, " batch"]) -> Images:
    """Return the images with each one's operation done; `chosen` and `magnitudes` are on the CPU."""
    changed = images.clone()
    for index in sorted(set(chosen.tolist())):
        if names[index] != "Identity":
            rows = torch.nonzero(chosen == index)[:, 0]
            there = on_device(rows, images.device)
            changed[there] = OPERATIONS[names[index]](images[there], magnitudes[rows])
    return changed
