"""Column CutMix: some columns of each row of a table are replaced by those of another row."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tuner.mixing.base import ColumnGuide, Mixture
from tuner.mixing.blend import blend_masked, of_own_shares, own_ratios


def column_cutmix(
    features: Float[Tensor, "batch features *size"], mixture: Mixture, rng: torch.Generator, guide: ColumnGuide
) -> tuple[Float[Tensor, "batch features *size"], Mixture]:
    """Whole columns of each row are replaced by those of another row; the target follows their number.

    As many columns as are nearest to the partner's drawn share are taken, any of them alike, and the target has the
    share really taken. The features of one categorical column stay together.

    Source: Yun et al., CutMix (arXiv 1905.04899), carried over from boxes to columns, as in Somepalli et al., SAINT
    (arXiv 2106.01342), section 4, which draws for each feature whether it is kept, and mixes for pre-training alone.
    """
    own = own_ratios(mixture)
    keys = torch.rand(len(own), guide.count, generator=rng).to(features.device, non_blocking=True)
    taken = ((1 - own) * guide.count).round()
    is_own = keys.argsort(dim=1).argsort(dim=1) >= taken[:, None]
    mask = is_own.index_select(1, guide.columns).to(torch.float32)
    is_flat = features.ndim == 2
    maps = features[:, :, None, None] if is_flat else features
    mixed = blend_masked(maps, mixture, mask[:, :, None, None].expand(-1, -1, *maps.shape[2:]))
    return mixed[:, :, 0, 0] if is_flat else mixed, of_own_shares(mixture, 1 - taken / guide.count)
