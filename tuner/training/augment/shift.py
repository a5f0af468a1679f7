"""Whole-pixel augmentation of a batch of bytes: flip and padded crop."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch.nn.functional import pad

from tuner.training.augment.base import Augmentation, Images, for_some


def flip(*, probability: Annotated[float, Ge(0), Le(1)] = 0.5) -> Augmentation:
    """Horizontal flip of a share of the examples."""

    def apply(images: Images, rng: torch.Generator) -> Images:
        return for_some(images.flip(3), images, probability, rng)

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
