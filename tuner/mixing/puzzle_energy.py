"""What a mask of blocks costs: the saliency that it hides, and how badly the two images fit along its borders."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tuner.mixing.base import Guide, Mixture
from tuner.mixing.tree_reweighted import GridEnergy

_SMALLEST_PROBABILITY = 1e-8
"""Added to the prior's probabilities before their logarithm, as in the official code."""

_PER_SIDE = 16
"""The smoothness `beta` is for a grid of one block a side, times this: so the official code scales it."""

Pair = Float[Tensor, "2 c cells_down cells_across batch"]


@dataclass(frozen=True)
class Grid:
    """An image's blocks: how many there are, down and across, and their sides in pixels; the last may reach beyond."""

    counts: tuple[int, int]
    sides: tuple[int, int]

    @staticmethod
    def of(size: torch.Size, blocks: int) -> Grid:
        """Return the grid whose counts are as near to `blocks` as sides of whole pixels allow."""
        height, width = (max(1, round(length / blocks)) for length in size)
        return Grid((math.ceil(size[0] / height), math.ceil(size[1] / width)), (height, width))

    def cut(self, pixels: int) -> Grid:
        """Return the grid that cuts each block into equal parts of about this side: the nearest that divides it."""
        sides = (near_divisor(self.sides[0], pixels), near_divisor(self.sides[1], pixels))
        parts = [side // part for side, part in zip(self.sides, sides, strict=True)]
        return Grid((self.counts[0] * parts[0], self.counts[1] * parts[1]), sides)

    def sums(self, maps: Float[Tensor, "batch h w"]) -> Float[Tensor, "batch rows columns"]:
        """Return each block's sum; beyond the map's edge there is nothing."""
        down, across = (
            (_at(length, maps.device) // side == _at(count, maps.device)[:, None]).float()
            for length, side, count in zip(maps.shape[-2:], self.sides, self.counts, strict=True)
        )
        return down @ maps.float() @ across.T

    def means(self, images: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c rows columns"]:
        """Return each block's mean, in float32; beyond the image's edge its last row and column go on."""
        down, across = (
            (_at(count * side, images.device).clamp(max=length - 1).view(count, side, 1) == _at(length, images.device))
            .float()
            .mean(dim=1)
            for length, side, count in zip(images.shape[-2:], self.sides, self.counts, strict=True)
        )
        return down @ (images.float() @ across.T)

    def enlarged(self, maps: Float[Tensor, "batch rows columns"], size: torch.Size) -> Float[Tensor, "batch h w"]:
        """Return the map of pixels that has each block's value throughout the block."""
        rows, columns = (_at(length, maps.device) // side for length, side in zip(size, self.sides, strict=True))
        return maps.index_select(1, rows).index_select(2, columns)

    def in_parts(self, maps: Float[Tensor, "batch rows columns"], parts: Grid) -> Float[Tensor, "batch rows2 columns2"]:
        """Return the map of the parts into which this grid was cut that has each block's value in all its parts."""
        for axis in (0, 1):
            maps = maps.repeat_interleave(parts.counts[axis] // self.counts[axis], dim=axis + 1)
        return maps


def mask_energy(
    features: Float[Tensor, "batch c h w"],
    mixture: Mixture,
    guide: Guide,
    grid: Grid,
    *,
    labels: int,
    beta: float,
    gamma: float,
    eta: float,
    neighbourhood: int,
) -> GridEnergy:
    """Return the energy of masks whose grade says how much of each block comes from the example itself.

    Images that differ across a border cost `gamma` x `beta` times their difference there, whichever of the two shows
    on either side. That is a table of four costs an edge; its symmetric part goes to the edge's weight, the rest to
    the blocks' own costs, as in the official code; a constant remains.

    Source: Kim, Choo and Song, Puzzle Mix (arXiv 2009.06962), section 3.3, equation 5, and their code.
    """
    blocks = grid.counts[0] * grid.counts[1]
    smoothness = beta / math.sqrt(blocks) / _PER_SIDE
    others = mixture.sources[:, 1]
    content = grid.sums(guide.saliency)
    hidden = torch.stack([content[others], content]).permute(0, 2, 3, 1).contiguous()  # by own block, by the other
    cells = grid.cut(neighbourhood)
    means = cells.means(features) * (smoothness * gamma / features.shape[1] / guide.contrast.float())
    images = torch.stack([means, means[others]]).permute(0, 2, 3, 4, 1).contiguous()
    parts = cells.counts[0] // grid.counts[0], cells.counts[1] // grid.counts[1]
    down = _add_borders(hidden, images, parts)
    across = _add_borders(hidden.transpose(1, 2), images.transpose(2, 3), parts[::-1]).transpose(0, 1)
    unary = [hidden[1].lerp(hidden[0], label / (labels - 1)) for label in range(labels)]
    prior = _prior(mixture.ratios[:, 0].float(), labels) * (eta / blocks)
    return GridEnergy(torch.stack(unary) + prior[:, None, None], down + smoothness, across + smoothness)


def near_divisor(side: int, wanted: int) -> int:
    """Return the divisor of `side` that is nearest to `wanted` as a ratio; the larger of two."""
    divisors = [part for part in range(1, side + 1) if side % part == 0]
    return min(divisors, key=lambda part: (abs(math.log(part / wanted)), -part))


def _add_borders(
    hidden: Float[Tensor, "2 rows columns batch"], images: Pair, parts: tuple[int, int]
) -> Float[Tensor, "rows-1 columns batch"]:
    """Add to the blocks' costs what the borders between rows ask of each block alone; return what they ask of two."""
    above, below = images[:, :, parts[0] - 1 : -1 : parts[0]], images[:, :, parts[0] :: parts[0]]

    def border(upper: int, lower: int) -> Float[Tensor, "borders columns batch"]:
        along = (above[upper] - below[lower]).abs_().sum(dim=0)
        return along if parts[1] == 1 else along.view(len(along), -1, parts[1], along.shape[-1]).mean(dim=2)

    own, other, own_above, own_below = border(0, 0), border(1, 1), border(0, 1), border(1, 0)
    hidden[0, :-1] += (own_above + own) / 2
    hidden[0, 1:] += (own_below + own) / 2
    hidden[1, :-1] += (own_below + other) / 2
    hidden[1, 1:] += (own_above + other) / 2
    return (own_above + own_below - own - other) / 2


def _prior(share: Float[Tensor, " batch"], labels: int) -> Float[Tensor, "labels batch"]:
    """Return how surprising each label is: -log of its binomial probability, where `share` is the grades' mean."""
    last = labels - 1
    chances = [math.comb(last, own) * share**own * (1 - share) ** (last - own) for own in range(labels)]
    return -torch.log(torch.stack(chances) + _SMALLEST_PROBABILITY)


def _at(count: int, device: torch.device) -> Int[Tensor, " count"]:
    return torch.arange(count, device=device)
