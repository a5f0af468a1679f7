"""Masks over images, one an example, drawn and rasterised for the whole batch at once."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def boxes(
    areas: Float[Tensor, " batch"], height: int, width: int, inside: bool, rng: torch.Generator
) -> Int[Tensor, "batch 4"]:
    """Return one box an example as (top, bottom, left, right), half open, in pixels, on the areas' device.

    `areas` is the wanted share of the image, in [0, 1]; the sides are rounded down. The centre is uniform over the
    pixels and the box clipped, or, with `inside`, its corner uniform over the places where it fits.
    """
    side = areas.clamp(0, 1).sqrt()
    top, bottom = _interval((side * height).int(), height, inside, rng)
    left, right = _interval((side * width).int(), width, inside, rng)
    return torch.stack([top, bottom, left, right], dim=1)


def box_mask(corners: Int[Tensor, "batch 4"], height: int, width: int) -> Float[Tensor, "batch {height} {width}"]:
    """Return 1 inside each box and 0 outside, in float32."""
    top, bottom, left, right = corners[:, :, None].unbind(1)
    rows = torch.arange(height, device=corners.device)
    columns = torch.arange(width, device=corners.device)
    in_rows = (rows >= top) & (rows < bottom)
    in_columns = (columns >= left) & (columns < right)
    return in_rows[:, :, None].float() * in_columns[:, None, :].float()


def _interval(length: Tensor, size: int, inside: bool, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    # Only the random numbers travel, towards the device: fetching the areas from it would make the host wait.
    uniform = torch.rand(len(length), generator=rng, device=rng.device).to(length.device, non_blocking=True)
    if inside:
        start = torch.minimum((uniform * (size - length + 1)).int(), size - length)
    else:
        start = (uniform * size).int() - length // 2
    return start.clamp(0, size), (start + length).clamp(0, size)
