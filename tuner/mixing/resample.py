"""A box of each image, resized into a box of another size and place, for the whole batch at once."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import grid_sample


def resized_into(
    images: Float[Tensor, "batch c h w"],
    source: Int[Tensor, "batch 4"],
    target: Int[Tensor, "batch 4"],
    *,
    align_corners: bool = False,
) -> Float[Tensor, "batch c h w"]:
    """Return maps of the same size in which each image's source box fills its target box, resized bilinearly.

    Boxes are (top, bottom, left, right), half open, in pixels. Nothing outside the source box is read, as if it had
    been cut out first (`interpolate`); outside the target box, and where a box is empty, the maps mean nothing.
    """
    height, width = images.shape[-2:]
    kind = torch.float64 if images.dtype == torch.float64 else torch.float32
    source, target = source.to(kind), target.to(kind)
    rows = _read_at(source[:, :2], target[:, :2], height, align_corners)
    columns = _read_at(source[:, 2:], target[:, 2:], width, align_corners)
    grid = torch.stack([columns[:, None, :].expand(-1, height, -1), rows[:, :, None].expand(-1, -1, width)], dim=-1)
    resized = grid_sample(images.to(kind), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return resized.to(images.dtype)


def _read_at(
    source: Float[Tensor, "batch 2"], target: Float[Tensor, "batch 2"], size: int, align_corners: bool
) -> Float[Tensor, "batch {size}"]:
    """Return where along one axis each pixel's value is read, on `grid_sample`'s scale (-1 and 1 are the edges)."""
    (first, end), (start, stop) = source[:, :, None].unbind(1), target[:, :, None].unbind(1)
    pixels = torch.arange(size, dtype=source.dtype, device=source.device)
    if align_corners:
        position = first + (pixels - start) * ((end - first - 1) / (stop - start - 1).clamp(min=1))
    else:
        position = first + (pixels - start + 0.5) * ((end - first) / (stop - start).clamp(min=1)) - 0.5
    inside = torch.minimum(torch.maximum(position, first), end - 1)
    return (inside + 0.5) / size * 2 - 1
