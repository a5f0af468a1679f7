"""SmoothMix: a round window with a soft edge onto another image."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from tuner.mixing.base import Mixture
from tuner.mixing.blend import blend_masked


def smoothmix(
    features: Float[Tensor, "batch c h w"], mixture: Mixture, rng: torch.Generator
) -> tuple[Float[Tensor, "batch c h w"], Mixture]:
    """A Gaussian window at a random place shows the other image; the target follows the mask's mean.

    The paper draws the window's width; ours is the one whose whole weight is the other source's drawn share, so that
    alpha means what it does elsewhere. What the border cuts off goes back to the example's own share.

    Source: Lee et al., SmoothMix (CVPR Workshops 2020), equations 3 to 5.
    """
    height, width = features.shape[-2:]
    place = torch.rand(2, len(features), 1, generator=rng, device=rng.device).to(features.device, non_blocking=True)
    other = (1 - mixture.ratios[:, :1]).clamp(min=1e-12)
    spread = (other * height * width / (2 * math.pi)).sqrt()
    rows = torch.exp(-0.5 * ((torch.arange(height, device=features.device) + 0.5 - place[0] * height) / spread) ** 2)
    columns = torch.exp(-0.5 * ((torch.arange(width, device=features.device) + 0.5 - place[1] * width) / spread) ** 2)
    mask = 1 - rows[:, :, None] * columns[:, None, :]
    mask = torch.where(mixture.ratios[:, 0, None, None] == 1, torch.ones_like(mask), mask)
    own = mask.mean(dim=(1, 2))
    mixed = blend_masked(features, mixture, mask[:, None])
    return mixed, Mixture(mixture.sources, torch.stack([own, 1 - own], dim=1))
