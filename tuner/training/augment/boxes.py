"""Random boxes: a crop of random size scaled to the whole image, and a box erased from it."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le
from jaxtyping import Float, Int
from torch import Tensor

from tuner.training.augment.base import Augmentation, Images, check_range, for_some, on_device, uniform
from tuner.training.augment.geometry import sampled

_ATTEMPTS = 10
"""How many boxes are drawn for each example, of which the first that fits is taken: torchvision's number."""

Boxes = Int[Tensor, "4 batch"]
"""Top, left, height and width of a box in each example; on the CPU."""


def random_resized_crop(
    *,
    area_low: Annotated[float, Gt(0), Le(1)] = 0.08,
    area_high: Annotated[float, Gt(0), Le(1)] = 1.0,
    aspect_ratio: Annotated[float, Ge(1), Le(100)] = 4 / 3,
) -> Augmentation:
    """Crop of a random share of the area and a random shape, scaled to the original size.

    The sides are between 1:aspect_ratio and aspect_ratio:1, evenly in the logarithm. Where no drawn box fits, the
    largest central crop of an allowed shape is taken.

    Source: Szegedy et al. 2015 (arXiv 1409.4842), section 6; drawn as torchvision's RandomResizedCrop draws it.
    """
    check_range(area_low, area_high, "area")

    def apply(images: Images, rng: torch.Generator) -> Images:
        size = (images.shape[2], images.shape[3])
        heights, widths, fits = _sides(len(images), size, (area_low, area_high), aspect_ratio, rng)
        height, width = _largest_central(size, aspect_ratio)
        boxes = _placed(heights, widths, size, rng)
        central = torch.tensor([(size[0] - height) // 2, (size[1] - width) // 2, height, width])
        return resized_crop(images, torch.where(fits, boxes, central[:, None]))

    return apply


def random_erasing(
    *,
    probability: Annotated[float, Ge(0), Le(1)] = 0.5,
    area_low: Annotated[float, Gt(0), Le(1)] = 0.02,
    area_high: Annotated[float, Gt(0), Le(1)] = 0.33,
    aspect_ratio: Annotated[float, Ge(1), Le(100)] = 10 / 3,
    fill: Literal["zero", "noise"] = "zero",
) -> Augmentation:
    """Box of a random share of the area filled with zeros or noise, in a share of the examples.

    An example for which no drawn box fits is left as it is.

    Source: Zhong et al. 2017 (arXiv 1708.04896).
    """
    check_range(area_low, area_high, "area")

    def apply(images: Images, rng: torch.Generator) -> Images:
        size = (images.shape[2], images.shape[3])
        heights, widths, fits = _sides(len(images), size, (area_low, area_high), aspect_ratio, rng)
        boxes = _placed(heights * fits, widths * fits, size, rng)
        value = torch.zeros((), dtype=torch.uint8, device=images.device)
        if fill == "noise":
            value = on_device(torch.randint(256, images.shape, generator=rng, dtype=torch.uint8), images.device)
        return for_some(torch.where(_inside(boxes, size, images.device), value, images), images, probability, rng)

    return apply


def resized_crop(images: Images, boxes: Boxes) -> Images:
    """Return each example's box scaled to the image's size, bilinearly and without looking past the box's edge.

    A crop is never larger than the image, so there is nothing to antialias.
    """
    top, left, height, width = boxes[:, :, None].float()
    y = _places(top, height, images.shape[2])
    x = _places(left, width, images.shape[3])
    y, x = on_device(y, images.device), on_device(x, images.device)
    shape = (-1, images.shape[2], images.shape[3])
    return sampled(images, torch.stack([x[:, None, :].expand(shape), y[:, :, None].expand(shape)], dim=3), "bilinear")


def _sides(
    batch: int, size: tuple[int, int], area: tuple[float, float], aspect_ratio: float, rng: torch.Generator
) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"], Tensor]:
    """Draw each example's box; return heights, widths (within the image), and whether they are of a box that fits."""
    height, width = size
    areas = height * width * uniform(batch * _ATTEMPTS, *area, rng)
    stretch = torch.exp(uniform(batch * _ATTEMPTS, -math.log(aspect_ratio), math.log(aspect_ratio), rng) / 2)
    sides = torch.stack([(areas.sqrt() / stretch).round(), (areas.sqrt() * stretch).round()])
    heights, widths = sides.long().view(2, batch, _ATTEMPTS)
    fits = (heights > 0) & (heights <= height) & (widths > 0) & (widths <= width)
    first = fits.int().argmax(dim=1, keepdim=True)
    heights, widths = heights.clamp(1, height).gather(1, first), widths.clamp(1, width).gather(1, first)
    return heights[:, 0], widths[:, 0], fits.any(dim=1)


def _placed(
    heights: Int[Tensor, " batch"], widths: Int[Tensor, " batch"], size: tuple[int, int], rng: torch.Generator
) -> Boxes:
    """Return the boxes at a place drawn evenly from all where they lie within the image."""
    free = torch.stack([size[0] - heights, size[1] - widths])
    corners = (torch.rand(2, len(heights), generator=rng) * (free + 1)).long().minimum(free)
    return torch.cat([corners, torch.stack([heights, widths])])


def _largest_central(size: tuple[int, int], aspect_ratio: float) -> tuple[int, int]:
    height, width = size
    return min(height, max(1, round(width * aspect_ratio))), min(width, max(1, round(height * aspect_ratio)))


def _inside(boxes: Boxes, size: tuple[int, int], device: torch.device) -> Tensor:
    """Return a mask [batch, 1, h, w] that is true within each example's box."""
    top, left, height, width = on_device(boxes, device)[:, :, None]
    rows, columns = (torch.arange(length, device=device) for length in size)
    in_rows = (rows >= top) & (rows < top + height)
    in_columns = (columns >= left) & (columns < left + width)
    return torch.logical_and(in_rows[:, None, :, None], in_columns[:, None, None, :])


def _places(start: Tensor, length: Tensor, size: int) -> Float[Tensor, "batch size"]:
    """Return where along one axis each of `size` output pixels is read, from -1 to 1 over the whole image."""
    pixels = (torch.arange(size) + 0.5) * length / size - 0.5
    pixels = start + torch.minimum(pixels.clamp_min(0), length - 1)
    return (2 * pixels + 1) / size - 1
