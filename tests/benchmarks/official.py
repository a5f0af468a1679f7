"""Published methods as their authors' codes go about them: what ours is measured against."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d


def patchup_pooling_the_whole_batch(
    features: Tensor, others: Tensor, centres: Tensor, block_size: int, ratio: float | None = None
) -> tuple[Tensor, Tensor]:
    """Return PatchUp's mixed features and the share of them that was changed; hard without a `ratio`, soft with one.

    As in chandar-lab/PatchUp, the field of block centres (channels, height, width) is repeated for every example before
    it is pooled, and the features are taken apart into what stays and what moves, and put together again.
    """
    every = centres.to(features.dtype).expand(len(features), *centres.shape)
    holes = max_pool2d(every, block_size, stride=1, padding=block_size // 2)
    kept, moved = features * (1 - holes), features * holes
    arrived = moved[others]
    if ratio is not None:
        arrived = ratio * moved + (1 - ratio) * arrived
    return kept + arrived, holes[0].sum() / holes[0].numel()


def patchup_centres(shape: torch.Size, gamma: float, block_size: int, rng: torch.Generator) -> Tensor:
    """Return the field of block centres of square maps (channels, side, side), by the paper's formula."""
    side = shape[-1]
    chance = gamma * side**2 / (block_size**2 * (side - block_size + 1) ** 2)
    return torch.rand(shape, generator=rng) < chance
