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
) -> tuple[Float[Tensor, "batch c h w"], Mixture]:
    """A box of each image is replaced by the same box of another; the target follows the box's area.

    The box's sides are sqrt(1 - ratio) of the image's, rounded down to pixels, one box an example. With
    `inside: false` its centre is uniform over the image and the box is clipped at the border, as in the paper and
    its code: at alpha 1 on 32x32 the mean pasted area is then 0.30, not 0.50. `inside: true` places it wholly
    within (as Keras, Kornia and timm's minmax do). `correct_ratio: false` keeps the drawn ratio as the target's share.

    Source: Yun et al., CutMix (arXiv 1905.04899), equations 1 and 2. Their code draws one ratio and one box a
    batch (`ratio.per: batch`), and loses a pixel of odd sides.
    """
    height, width = features.shape[-2:]
    if mixture.shared:
        mixed, really = _in_one_box(features, mixture, one_box(1 - mixture.shared[0], height, width, inside, rng))
    else:
        mask = outside_mask(boxes(1 - mixture.ratios[:, 0], height, width, inside, rng), height, width)
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
