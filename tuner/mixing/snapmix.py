"""SnapMix: a box of another image, resized into a box of each; what each box shows of its object makes the target."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tuner.mixing.base import Guide, Mixture
from tuner.mixing.blend import blend_with, own_ratios
from tuner.mixing.masks import box_mask, box_sides, centred_boxes
from tuner.mixing.resample import resized_into


def snapmix(
    features: Float[Tensor, "batch c h w"],
    mixture: Mixture,
    rng: torch.Generator,
    guide: Guide,
    *,
    official: bool = False,
) -> tuple[Float[Tensor, "batch c h w"], Mixture]:
    """A box of the other image is resized into a box of each; the target counts the saliency covered and brought.

    The example keeps 1 - its saliency's share in the covered box, the other has its saliency's share in the box taken
    from it, so that the two need not sum to 1. Both boxes are CutMix's, at places of their own; where either is empty
    the example stays unmixed. The taken box's ratio is the next example's: a draw of the same law, independent of the
    example's own. A batch of one ratio (`ratio.per: batch`), or of one example, has two boxes of one size.

    `official: true` resizes as the authors' code does, corner pixel to corner pixel, and has boxes of even sides. Not
    reproduced: their code draws two ratios a batch, counts pairs of one class twice (issue 3: on purpose, of little
    effect), and takes the saliency map in training mode.

    Source: Huang, Wang and Tao, SnapMix (arXiv 2012.04846), section 3; code Shaoli-Huang/SnapMix.
    """
    height, width = features.shape[-2:]
    own = own_ratios(mixture)
    sides = (box_sides(1 - ratios, height, width, 2 if official else 1) for ratios in (own, own.roll(-1)))
    target, source = (centred_boxes(heights, widths, height, width, rng) for heights, widths in sides)
    is_mixed = (_areas(target) > 0) & (_areas(source) > 0)
    covered = box_mask(target, height, width) * is_mixed[:, None, None]
    taken = box_mask(source, height, width) * is_mixed[:, None, None]
    others = mixture.sources[:, 1]
    shares = [1 - _shares(guide.saliency, covered), _shares(guide.saliency.index_select(0, others), taken)]
    every = (len(features), -1)
    images = features.index_select(0, others)
    pasted = resized_into(images, source.expand(every), target.expand(every), align_corners=official)
    ratios = torch.stack(shares, dim=1).clamp(0, 1)
    return blend_with(features, pasted, 1 - covered[:, None]), Mixture(mixture.sources, ratios)


def _areas(corners: Int[Tensor, "masks 4"]) -> Int[Tensor, " masks"]:
    top, bottom, left, right = corners.unbind(1)
    return (bottom - top) * (right - left)


def _shares(saliency: Float[Tensor, "batch h w"], mask: Float[Tensor, "masks h w"]) -> Float[Tensor, " batch"]:
    return (saliency * mask).sum(dim=(1, 2))
