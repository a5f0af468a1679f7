"""Masks over images, one an example, drawn and rasterised for the whole batch at once."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

_HALVINGS = 16


def boxes(
    areas: Float[Tensor, " batch"], height: int, width: int, inside: bool, rng: torch.Generator
) -> Int[Tensor, "batch 4"]:
    """Return one box an example as (top, bottom, left, right), half open, in pixels, on the areas' device.

    `areas` is the wanted share of the image, in [0, 1]; the sides are rounded down. The centre is uniform over the
    pixels and the box clipped, or, with `inside`, its corner uniform over the places where it fits.
    """
    heights, widths = box_sides(areas, height, width)
    top, bottom = _interval(heights, height, inside, rng)
    left, right = _interval(widths, width, inside, rng)
    return torch.stack([top, bottom, left, right], dim=1)


def box_sides(
    areas: Float[Tensor, " batch"], height: int, width: int, multiple: int = 1
) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"]]:
    """Return the heights and widths of boxes of these areas and the image's proportions, in pixels.

    They are rounded down to a multiple; the codes that follow CutMix's lose a pixel of odd sides (multiples of 2).
    """
    side = areas.clamp(0, 1).sqrt()
    return (side * height).int() // multiple * multiple, (side * width).int() // multiple * multiple


def box_mask(corners: Int[Tensor, "batch 4"], height: int, width: int) -> Float[Tensor, "batch {height} {width}"]:
    """Return 1 inside each box and 0 outside, in float32."""
    top, bottom, left, right = corners[:, :, None].unbind(1)
    rows = torch.arange(height, device=corners.device)
    columns = torch.arange(width, device=corners.device)
    in_rows = (rows >= top) & (rows < bottom)
    in_columns = (columns >= left) & (columns < right)
    return in_rows[:, :, None].float() * in_columns[:, None, :].float()


def centred_boxes(
    heights: Int[Tensor, " batch"], widths: Int[Tensor, " batch"], height: int, width: int, rng: torch.Generator
) -> Int[Tensor, "batch 4"]:
    """Return one box an example of the given sides in pixels, its centre uniform over the pixels, clipped."""
    top, bottom = _interval(heights, height, False, rng)
    left, right = _interval(widths, width, False, rng)
    return torch.stack([top, bottom, left, right], dim=1)


def boxes_around(
    centres: Int[Tensor, "batch 2"],
    heights: Int[Tensor, " batch"],
    widths: Int[Tensor, " batch"],
    height: int,
    width: int,
) -> Int[Tensor, "batch 4"]:
    """Return one box an example of the given sides around a pixel (row, column), clipped; it holds that pixel."""
    top, bottom = _clipped(centres[:, 0] - heights // 2, heights, height)
    left, right = _clipped(centres[:, 1] - widths // 2, widths, width)
    return torch.stack([top, bottom, left, right], dim=1)


def whole_images(corners: Int[Tensor, "batch 4"], height: int, width: int) -> Int[Tensor, "batch 4"]:
    """Return the box of all pixels, as many times as there are `corners`, on their device."""
    whole = torch.zeros_like(corners)
    whole[:, 1], whole[:, 3] = height, width
    return whole


def top_share(scores: Float[Tensor, "batch h w"], shares: Float[Tensor, " batch"]) -> Float[Tensor, "batch h w"]:
    """Return 1 where a score is among the top `shares` of its example's, 0 elsewhere, in float32.

    The level is found by halving, all examples at once: a third of a sort's time. The mean of the mask is the nearest
    to the share that 16 halvings of the scores' range can tell apart; shares of 0 and 1 are exact.
    """
    flat = scores.flatten(1)
    low, high = flat.amin(dim=1, keepdim=True) - 1, flat.amax(dim=1, keepdim=True)
    wanted = shares[:, None]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = (flat > middle).float().mean(dim=1, keepdim=True) >= wanted
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    upper, lower = ((flat > level).float() for level in (high, low))
    closer = (upper.mean(1, keepdim=True) - wanted).abs() < (lower.mean(1, keepdim=True) - wanted).abs()
    return torch.where(closer, upper, lower).view_as(scores)


def _interval(length: Tensor, size: int, inside: bool, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    # Only the random numbers travel, towards the device: fetching the areas from it would make the host wait.
    uniform = torch.rand(len(length), generator=rng, device=rng.device).to(length.device, non_blocking=True)
    if inside:
        start = torch.minimum((uniform * (size - length + 1)).int(), size - length)
    else:
        start = (uniform * size).int() - length // 2
    return _clipped(start, length, size)


def _clipped(start: Tensor, length: Tensor, size: int) -> tuple[Tensor, Tensor]:
    return start.clamp(0, size), (start + length).clamp(0, size)
