"""GridMix: whole cells of a grid are taken from one image or the other."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor

from tuner.mixing.base import Mixture
from tuner.mixing.blend import masked
from tuner.mixing.masks import top_cells


def gridmix(
    features: Float[Tensor, "batch c h w"], mixture: Mixture, rng: torch.Generator, *, cells: Annotated[int, Ge(2)] = 4
) -> tuple[Float[Tensor, "batch c h w"], Mixture]:
    """Each cell of a grid comes from one image or the other; the target follows the pixels.

    The number of the example's own cells is its ratio's share of `cells` x `cells`, to the nearest cell. The paper's
    extra loss on each cell's own label is not part of this.

    Source: Baek, Bang and Shim, GridMix (Pattern Recognition 109, 2021), section 3.2.
    """
    height, width = features.shape[-2:]
    rows = torch.arange(height, device=features.device) * cells // height
    columns = torch.arange(width, device=features.device) * cells // width

    def mask(own: Tensor) -> Tensor:
        scores = torch.rand(len(own), cells**2, generator=rng, device=rng.device)
        chosen = top_cells(scores.to(own.device, non_blocking=True), (own * cells**2).round())
        return chosen[:, (rows * cells)[:, None] + columns]

    return masked(features, mixture, mask)
