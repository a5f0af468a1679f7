"""Masks over images, one an example, drawn and rasterised for the whole batch at once."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def boxes(
    areas: Float[Tensor, " masks"],
    height: int,
    width: int,
    inside: bool,
    rng: torch.Generator,
    *,
    multiple: int = 1,
) -> Int[Tensor, "masks 4"]:
    """Return one box for each area as (top, bottom, left, right), half open, in pixels, on the areas' device.

    `areas` is the wanted share of the image, in [0, 1]; the sides are rounded down to a multiple. The centre is uniform
    over the pixels and the box clipped, or, with `inside`, its corner uniform over the places where it fits.
    """
    size = _size(height, width, areas.device)
    sides = (areas.clamp(0, 1).sqrt() * size / multiple).floor() * multiple
    return _placed(sides, size, inside, rng)


def one_box(
    area: float, height: int, width: int, inside: bool, rng: torch.Generator, *, multiple: int = 1
) -> tuple[int, int, int, int]:
    """Return what `boxes` returns for one area, worked out by the host: a tenth of the time."""
    share = math.sqrt(min(max(area, 0.0), 1.0))
    interval = _interval_inside if inside else _interval_around
    heights, widths = (int(share * size / multiple) * multiple for size in (height, width))
    row, column = torch.rand(2, generator=rng).tolist()
    return *interval(heights, height, row), *interval(widths, width, column)


def box_sides(
    areas: Float[Tensor, " masks"], height: int, width: int, multiple: int = 1
) -> tuple[Int[Tensor, " masks"], Int[Tensor, " masks"]]:
    """Return the heights and widths of boxes of these areas and the image's proportions, in pixels.

    They are rounded down to a multiple; the codes that follow CutMix's lose a pixel of odd sides (multiples of 2).
    """
    side = areas.clamp(0, 1).sqrt()
    return (side * height).int() // multiple * multiple, (side * width).int() // multiple * multiple


def centred_boxes(
    heights: Int[Tensor, " masks"], widths: Int[Tensor, " masks"], height: int, width: int, rng: torch.Generator
) -> Int[Tensor, "masks 4"]:
    """Return one box for each pair of sides in pixels, its centre uniform over the pixels, clipped."""
    size = _size(height, width, heights.device)
    return _placed(torch.stack([heights, widths]).float(), size, False, rng)


def boxes_around(
    centres: Int[Tensor, "masks 2"],
    heights: Int[Tensor, " masks"],
    widths: Int[Tensor, " masks"],
    height: int,
    width: int,
) -> Int[Tensor, "masks 4"]:
    """Return one box of the given sides around each pixel (row, column), clipped; it holds that pixel."""
    sides = torch.stack([heights, widths])
    return _clipped(centres.T - sides // 2, sides, _size(height, width, centres.device))


def whole_images(corners: Int[Tensor, "masks 4"], height: int, width: int) -> Int[Tensor, "masks 4"]:
    """Return the box of all pixels, as many times as there are `corners`, on their device."""
    whole = torch.zeros_like(corners)
    whole[:, 1], whole[:, 3] = height, width
    return whole


def box_mask(corners: Int[Tensor, "masks 4"], height: int, width: int) -> Float[Tensor, "masks {height} {width}"]:
    """Return 1 inside each box and 0 outside, in float32."""
    rows, columns = _within(corners[:, :2], height), _within(corners[:, 2:], width)
    return rows[:, :, None] * columns[:, None, :]


def outside_mask(corners: Int[Tensor, "masks 4"], height: int, width: int) -> Float[Tensor, "masks {height} {width}"]:
    """Return 0 inside each box and 1 outside, in float32."""
    return box_mask(corners, height, width).neg_().add_(1)


def top_share(scores: Float[Tensor, "masks h w"], shares: Float[Tensor, " masks"]) -> Float[Tensor, "masks h w"]:
    """Return 1 where a score is among the top `shares` of its mask's, 0 elsewhere, in float32.

    The level is found by halving, all masks at once: a tenth of a sort's time. A mask's mean is within a pixel or two
    of the share for scores that are spread as noise is; shares of 0 and 1 are exact.
    """
    flat = scores.flatten(1)
    mask = torch.empty_like(flat)
    low, high = flat.aminmax(dim=1, keepdim=True)
    level, step = (low + high) / 2, 0.51 * (high - low).clamp(min=1e-6)
    for halving in range(1, math.ceil(math.log2(flat.shape[1])) + 5):
        # Written as floats at once: eight times faster on a CPU than to compare, convert and count.
        excess = torch.gt(flat, level, out=mask).mean(dim=1, keepdim=True) - shares[:, None]
        level = torch.addcmul(level, excess.sign(), step, value=0.5**halving)
    return torch.gt(flat, level, out=mask).view_as(scores)


def top_cells(scores: Float[Tensor, "masks cells"], counts: Float[Tensor, " masks"]) -> Float[Tensor, "masks cells"]:
    """Return 1 for the `counts` highest scores of each mask, 0 elsewhere, in float32; for a few cells."""
    ranks = scores.argsort(dim=1, descending=True).argsort(dim=1)
    return (ranks < counts[:, None]).float()


def _interval_around(side: int, size: int, uniform: float) -> tuple[int, int]:
    start = int(uniform * size) - side // 2
    return max(start, 0), min(start + side, size)


def _interval_inside(side: int, size: int, uniform: float) -> tuple[int, int]:
    start = min(int(uniform * (size - side + 1)), size - side)
    return start, start + side


def _size(height: int, width: int, device: torch.device) -> Float[Tensor, "2 1"]:
    return torch.tensor([[height], [width]], dtype=torch.float32).to(device, non_blocking=True)


def _placed(
    sides: Float[Tensor, "2 masks"], size: Float[Tensor, "2 1"], inside: bool, rng: torch.Generator
) -> Int[Tensor, "masks 4"]:
    # Only the random numbers travel, towards the device: fetching the areas from it would make the host wait.
    uniform = torch.rand(sides.shape, generator=rng, device=rng.device).to(sides.device, non_blocking=True)
    if inside:
        start = torch.minimum((uniform * (size - sides + 1)).floor(), size - sides)
    else:
        start = (uniform * size).floor() - (sides / 2).floor()
    return _clipped(start, sides, size)


def _clipped(start: Tensor, sides: Tensor, size: Float[Tensor, "2 1"]) -> Int[Tensor, "masks 4"]:
    corners = torch.stack([start, start + sides], dim=1).clamp_(min=0)
    return torch.minimum(corners, size[:, None]).int().flatten(0, 1).T


def _within(ends: Int[Tensor, "masks 2"], size: int) -> Float[Tensor, "masks {size}"]:
    """Return 1 for the places from the first end up to, not including, the second."""
    places = torch.arange(size, device=ends.device)
    return ((places >= ends[:, :1]) & (places < ends[:, 1:])).float()
