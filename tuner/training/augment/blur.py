"""Gaussian blur with a width of its own for each example, for images and for elastic distortion's field."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, pad

from tuner.training.augment.base import Augmentation, Images, check_range, for_some, on_device, uniform


def gaussian_blur(
    *,
    sigma_low: Annotated[float, Gt(0), Le(100)] = 0.1,
    sigma_high: Annotated[float, Gt(0), Le(100)] = 2.0,
    probability: Annotated[float, Ge(0), Le(1)] = 0.5,
) -> Augmentation:
    """Gaussian blur by a random number of pixels between sigma_low and sigma_high, in a share of the examples.

    Source: Chen et al. 2020 (arXiv 2002.05709), appendix A, for the range and the share.
    """
    check_range(sigma_low, sigma_high, "sigma")

    def apply(images: Images, rng: torch.Generator) -> Images:
        sigmas = uniform(len(images), sigma_low, sigma_high, rng)
        kernels = gaussian_kernels(sigmas, radius=math.ceil(3 * sigma_high))
        floats = blurred(images.float(), on_device(kernels, images.device))
        return for_some(floats.round_().to(torch.uint8), images, probability, rng)

    return apply


def gaussian_kernels(sigmas: Float[Tensor, " batch"], radius: int) -> Float[Tensor, "batch taps"]:
    """Return each sigma's weights at -radius to radius pixels, which sum to 1."""
    pixels = torch.arange(-radius, radius + 1)
    return torch.softmax(-((pixels / sigmas[:, None]) ** 2) / 2, dim=1)


def blurred(maps: Float[Tensor, "batch c h w"], kernels: Float[Tensor, "batch taps"]) -> Float[Tensor, "batch c h w"]:
    """Return each example's maps blurred by its kernel along both axes, mirrored at the edges.

    A kernel that would be mirrored twice is cut to the map's size and made to sum to 1 again.
    """
    batch, channels, height, width = maps.shape
    # One long map whose channels are the examples' channels: a convolution with a kernel for each.
    rows, columns = (_fitting(kernels, size).repeat_interleave(channels, dim=0) for size in (height, width))
    radius_y, radius_x = rows.shape[1] // 2, columns.shape[1] // 2
    padded = pad(maps.reshape(1, batch * channels, height, width), (radius_x, radius_x, radius_y, radius_y), "reflect")
    down = conv2d(padded, rows[:, None, :, None], groups=batch * channels)
    return conv2d(down, columns[:, None, None, :], groups=batch * channels).view(maps.shape)


def _fitting(kernels: Float[Tensor, "batch taps"], size: int) -> Float[Tensor, "batch fewer"]:
    radius = kernels.shape[1] // 2
    cut = max(0, radius - (size - 1))
    inner = kernels[:, cut : kernels.shape[1] - cut]
    return inner / inner.sum(dim=1, keepdim=True)
