"""Basic augmentation of a batch of bytes on its device, before mixing: each example is drawn on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from annotated_types import Ge, Le
from jaxtyping import UInt8
from torch import Tensor
from torch.nn.functional import pad

from tuner.catalog import Table, entry

Images = UInt8[Tensor, "batch c h w"]
Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def flip(*, probability: Annotated[float, Ge(0), Le(1)] = 0.5) -> Augmentation:
    """Horizontal flip of a share of the examples."""

    def apply(images: Images, rng: torch.Generator) -> Images:
        chosen = torch.rand(len(images), generator=rng) < probability
        return torch.where(chosen.to(images.device, non_blocking=True)[:, None, None, None], images.flip(3), images)

    return apply


def padded_crop(*, padding: Annotated[int, Ge(1)] = 4) -> Augmentation:
    """Crop of the original size, at a random place of the image padded with zeros on all sides.

    Source: Lee et al. 2015 (arXiv 1409.5185), the usual recipe for CIFAR.
    """

    def apply(images: Images, rng: torch.Generator) -> Images:
        batch, _, height, width = images.shape
        corners = torch.randint(2 * padding + 1, (2, batch, 1), generator=rng).to(images.device, non_blocking=True)
        rows = corners[0] + torch.arange(height, device=images.device)
        columns = corners[1] + torch.arange(width, device=images.device)
        example = torch.arange(batch, device=images.device)[:, None, None]
        padded = pad(images, (padding,) * 4)
        return padded[example, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)

    return apply


AUGMENTATIONS = Table("augmentation", {"flip": entry(flip), "padded_crop": entry(padded_crop)})
