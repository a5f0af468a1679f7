"""ResizeMix: the whole of another image, made smaller, is pasted over a part of each."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from tuner.mixing.base import Mixture
from tuner.mixing.blend import blend_with, of_own_shares
from tuner.mixing.masks import boxes, one_box, outside_mask, whole_images
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
    others = features.index_select(0, mixture.sources[:, 1])
    if mixture.shared:
        return _in_one_box(features, others, mixture, one_box(1 - mixture.shared[0], height, width, True, rng))
    corners = boxes(1 - mixture.ratios[:, 0], height, width, True, rng)
    mask = outside_mask(corners, height, width)
    pasted = resized_into(others, whole_images(corners, height, width), corners)
    return blend_with(features, pasted, mask[:, None]), of_own_shares(mixture, mask.mean(dim=(1, 2)))


def _in_one_box(
    features: Float[Tensor, "batch c h w"],
    others: Float[Tensor, "batch c h w"],
    mixture: Mixture,
    box: tuple[int, int, int, int],
) -> tuple[Float[Tensor, "batch c h w"], Mixture]:
    """Return what masks would give, by pasting into the one box."""
    top, bottom, left, right = box
    height, width = bottom - top, right - left
    mixed = features.clone()
    if height and width:
        kind = torch.float64 if features.dtype == torch.float64 else torch.float32
        mixed[..., top:bottom, left:right] = interpolate(others.to(kind), (height, width), mode="bilinear")
    own = 1 - height * width / (features.shape[-2] * features.shape[-1])
    return mixed, of_own_shares(mixture, own)
