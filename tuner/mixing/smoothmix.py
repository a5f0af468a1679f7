"""SmoothMix: a round window with a soft edge onto another image."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from tuner.mixing.base import Mixture
from tuner.mixing.blend import masked


def smoothmix(
    features: Float[Tensor, "batch c h w"], mixture: Mixture, rng: torch.Generator
) -> tuple[Float[Tensor, "batch c h w"], Mixture]:
    """A Gaussian window at a random place shows the other image; the target follows the mask's mean.

    The paper draws the window's width; ours is the one whose whole weight is the other source's drawn share, so that
    alpha means what it does elsewhere. What the border cuts off goes back to the example's own share.

    Source: Lee et al., SmoothMix (CVPR Workshops 2020), equations 3 to 5.
    """
    height, width = features.shape[-2:]

    def mask(own: Tensor) -> Tensor:
        place = torch.rand(2, len(own), 1, generator=rng, device=rng.device).to(own.device, non_blocking=True)
        spread = ((1 - own[:, None]).clamp(min=1e-12) * height * width / (2 * math.pi)).sqrt()
        other = _bell(place[0], spread, height)[:, :, None] * _bell(place[1], spread, width)[:, None, :]
        return torch.where(own[:, None, None] == 1, 1.0, 1 - other)

    return masked(features, mixture, mask)


def _bell(
    centre: Float[Tensor, "masks 1"], spread: Float[Tensor, "masks 1"], size: int
) -> Float[Tensor, "masks {size}"]:
    """Return a Gaussian window over the pixels' centres, 1 at `centre`, which is a share of the size."""
    pixels = torch.arange(size, device=centre.device) + 0.5
    return torch.exp(-0.5 * ((pixels - centre * size) / spread) ** 2)
