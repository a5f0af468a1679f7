"""CutMix: a box of each image is replaced by the same box of another, and the target by the box's area."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tuner.mixing.base import Mixture
from tuner.mixing.blend import blend_masked, of_own_shares
from tuner.mixing.masks import boxes, one_box, outside_mask


def cutmix(
    features: Float[Tensor, "batch c h w"],
    mixture: Mixture,
    rng: torch.Generator,
    *,
    inside: bool = False,
    correct_ratio: bool = True,
    official: bool = False,
) -> tuple[Float[Tensor, "batch c h w"], Mixture]:
    """A box of each image is replaced by the same box of another; the target follows the box's area.

    The box's sides are sqrt(1 - ratio) of the image's, rounded down to pixels. With `inside: false` its centre is
    uniform over the image and the box is clipped at the border, as in the paper: at alpha 1 on 32x32 the mean pasted
    area is then 0.31, not 0.50. `inside: true` places it wholly within (as Keras, Kornia and timm's minmax do).
    `correct_ratio: false` keeps the drawn ratio as the target's share. `official: true` loses a pixel of odd sides, as
    the authors' code, torchvision and timm do (mean area 0.30); the code draws one ratio and one box a batch, which is
    `ratio.per: batch`, and mixes half of the batches on CIFAR (`probability: 0.5`).

    Source: Yun et al., CutMix (arXiv 1905.04899), equations 1 and 2; code clovaai/CutMix-PyTorch.
    """
    height, width = features.shape[-2:]
    multiple = 2 if official else 1
    if mixture.shared:
        box = one_box(1 - mixture.shared[0], height, width, inside, rng, multiple=multiple)
        mixed, really = _in_one_box(features, mixture, box)
    else:
        corners = boxes(1 - mixture.ratios[:, 0], height, width, inside, rng, multiple=multiple)
        mask = outside_mask(corners, height, width)
        mixed = blend_masked(features, mixture, mask[:, None])
        really = of_own_shares(mixture, mask.mean(dim=(1, 2)))
    return mixed, really if correct_ratio else mixture


def _in_one_box(
    features: Float[Tensor, "batch c h w"], mixture: Mixture, box: tuple[int, int, int, int]
) -> tuple[Float[Tensor, "batch c h w"], Mixture]:
    """Return what masks would give, by copying the one box alone."""
    top, bottom, left, right = box
    part = (..., slice(top, bottom), slice(left, right))
    mixed = features.clone()
    mixed[part] = features[part].index_select(0, mixture.sources[:, 1])
    own = 1 - (bottom - top) * (right - left) / (features.shape[-2] * features.shape[-1])
    return mixed, of_own_shares(mixture, own)
