"""PuzzleMix: each block shows whichever image has its content there, and hidden content moves to where it is shown."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le, Len
from jaxtyping import Float
from torch import Tensor

from tuner.mixing.base import Guide, Mixture
from tuner.mixing.blend import blend_masked, blend_with, of_own_shares
from tuner.mixing.puzzle_energy import Grid, mask_energy
from tuner.mixing.transport import transported
from tuner.mixing.tree_reweighted import lowest_energy

Weight = Annotated[float, Ge(0)]


def puzzlemix(
    features: Float[Tensor, "batch c h w"],
    mixture: Mixture,
    rng: torch.Generator,
    guide: Guide,
    *,
    blocks: Annotated[tuple[Annotated[int, Ge(2)], ...], Len(1)] = (2, 4, 8, 16),
    labels: Annotated[int, Ge(2)] = 3,
    beta: Weight = 1.2,
    gamma: Annotated[float, Ge(0), Le(1)] = 0.5,
    eta: Weight = 0.2,
    neighbourhood: Annotated[int, Ge(1)] = 4,
    transport: bool = True,
    transport_cost: Annotated[float, Gt(0)] = 0.8,
    transport_pixels: Annotated[int, Ge(1)] = 4,
) -> tuple[Float[Tensor, "batch c h w"], Mixture]:
    """Each block comes from the image that is salient there, smoothly; the target follows the pixels.

    For each example a mask is found with the lowest sum of the saliency that it hides, `beta` times its roughness
    (`gamma` of this where the images differ), and `eta` times the surprise at its shares under the example's ratio.
    A block's share is one of `labels` from 0 to 1. Then, with `transport`, pieces of about `transport_pixels` move
    from hidden blocks to shown ones, if their saliency is worth the way at `transport_cost`. The images' differences
    are seen through windows of about `neighbourhood` pixels at either side of a border.

    A batch has one number of blocks a side, drawn from `blocks`. Where it does not divide the image, the blocks'
    sides are rounded to whole pixels, 1 at least, and the last blocks reach beyond the image, whose border pixels go
    on there without saliency; windows and pieces have the divisor of a block's side that is nearest to what is asked.
    A ratio of exactly 1 or 0 leaves one image alone, whatever the saliency. No gradient goes through the mask.

    Source: Kim, Choo and Song, Puzzle Mix (arXiv 2009.06962), equations 2 to 6; the constants are those of their code
    for CIFAR-100, without the adversarial variant. Theirs draws one ratio a batch, and solves by alpha-beta swap on
    integers, example by example; here all are solved at once (`tree_reweighted`). Their targets follow the mask too.
    """
    grid = Grid.of(features.shape[-2:], blocks[int(torch.randint(len(blocks), (), generator=rng))])
    own = mixture.ratios[:, 0].float()
    with torch.no_grad():
        energy = mask_energy(
            features, mixture, guide, grid, labels=labels, beta=beta, gamma=gamma, eta=eta, neighbourhood=neighbourhood
        )
        grades = lowest_energy(energy) * (own > 0)
        grades = torch.maximum(grades, (own == 1).to(grades.dtype)).permute(2, 0, 1).contiguous()
        mask = grid.enlarged(grades, features.shape[-2:])
    applied = of_own_shares(mixture, mask.mean(dim=(1, 2)))
    if not transport:
        return blend_masked(features, mixture, mask[:, None]), applied
    pieces = grid.cut(transport_pixels)
    saliency, shares = pieces.sums(guide.saliency), grid.in_parts(grades, pieces)
    others = mixture.sources[:, 1]
    moved = transported(features, saliency, shares > 0, transport_cost, pieces.sides)
    other = transported(features[others], saliency[others], shares < 1, transport_cost, pieces.sides)
    return blend_with(moved, other, mask[:, None]), applied
