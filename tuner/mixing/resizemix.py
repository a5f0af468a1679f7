"""ResizeMix: the whole of another image, made smaller, is pasted over a part of each."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import grid_sample

from tuner.mixing.base import Mixture
from tuner.mixing.blend import blend_with, of_own_shares, own_ratios
from tuner.mixing.masks import boxes, outside_mask


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
    pasted = _resized_into(features.index_select(0, mixture.sources[:, 1]), corners.expand(len(features), -1))
    return blend_with(features, pasted, mask[:, None]), of_own_shares(mixture, mask.mean(dim=(1, 2)))


def _resized_into(
    images: Float[Tensor, "batch c h w"], corners: Int[Tensor, "batch 4"]
) -> Float[Tensor, "batch c h w"]:
    """Return maps of the same size in which each image fills its box; outside the box they mean nothing."""
    height, width = images.shape[-2:]
    kind = torch.float64 if images.dtype == torch.float64 else torch.float32
    top, bottom, left, right = corners[:, :, None].to(kind).unbind(1)
    rows = torch.arange(height, dtype=kind, device=images.device)
    columns = torch.arange(width, dtype=kind, device=images.device)
    # Where each pixel's centre lies in its box, from -1 at the box's one edge to 1 at the other.
    y = (rows + 0.5 - top) / (bottom - top).clamp(min=1) * 2 - 1
    x = (columns + 0.5 - left) / (right - left).clamp(min=1) * 2 - 1
    grid = torch.stack([x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], dim=-1)
    resized = grid_sample(images.to(kind), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return resized.to(images.dtype)
