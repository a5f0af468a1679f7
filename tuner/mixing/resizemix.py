"""ResizeMix: the whole of another image, made smaller, is pasted over a part of each."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tuner.mixing.base import Mixture
from tuner.mixing.blend import blend_with, of_own_shares, own_ratios
from tuner.mixing.masks import boxes, outside_mask, whole_images
from tuner.mixing.resample import resized_into


def resizemix(
    features: Float[Tensor, "batch c h w"], mixture: Mixture, rng: torch.Generator
) -> tuple[Float[Tensor, "batch c h w"], Mixture]:
    """The whole other image, resized to a box, is pasted at a random place; the target follows the box's area.

    The box lies within the image; its area is the other source's ratio. The paper draws the box's side uniformly from
    0.1 to 0.8 of the image's: `ratio: uniform_scale`, the default here. Resizing is bilinear.

    Source: Qin et al., ResizeMix (arXiv 2012.11101), equations 2 to 4.
    """
    height, width = features.shape[-2:]
    corners = boxes(1 - own_ratios(mixture), height, width, True, rng)
    mask = outside_mask(corners, height, width)
    others = features.index_select(0, mixture.sources[:, 1])
    target = corners.expand(len(features), -1)
    pasted = resized_into(others, whole_images(target, height, width), target)
    return blend_with(features, pasted, mask[:, None]), of_own_shares(mixture, mask.mean(dim=(1, 2)))
