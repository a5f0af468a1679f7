"""Cutout: a square of each image is blanked, and the target left as it is."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor

from tuner.mixing.base import Mixture
from tuner.mixing.masks import centred_boxes, outside_mask


def cutout(
    features: Float[Tensor, "batch c h w"],
    mixture: Mixture,
    rng: torch.Generator,
    *,
    length: Annotated[int, Ge(1)] = 16,
    official: bool = False,
) -> tuple[Float[Tensor, "batch c h w"], Mixture]:
    """A square of `length` pixels is set to 0 (the dataset's mean, after normalisation), one an example.

    Its centre is uniform over the pixels and it is clipped at the border, so that the mean area is smaller than the
    square. The authors used 16 on CIFAR-10, 8 on CIFAR-100, 20 on SVHN. `official: true` loses a pixel of odd
    lengths, as their code does.

    Raises:
        ValueError: the square covers the whole image wherever its centre lies.

    Source: DeVries and Taylor, Cutout (arXiv 1708.04552), section 3.2; code uoguelph-mlrg/Cutout.
    """
    height, width = features.shape[-2:]
    if length - length // 2 >= max(height, width):
        largest = 2 * max(height, width) - 2
        advice = f"set it to {largest} or less" if largest else "use larger images"
        raise ValueError(f"cutout of length {length} blanks every {height}x{width} image; {advice}")
    side = torch.full((len(features),), length // 2 * 2 if official else length, device=features.device)
    corners = centred_boxes(side, side, height, width, rng)
    kept = outside_mask(corners, height, width)
    return features * kept[:, None].to(features.dtype), mixture
