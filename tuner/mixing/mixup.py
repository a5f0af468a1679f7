"""mixup: outputs are weighted sums of whole examples, at any depth and of any number of sources."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tuner.mixing.base import Mixture
from tuner.mixing.blend import blend


def mixup(
    features: Float[Tensor, "batch *map"], mixture: Mixture, rng: torch.Generator
) -> tuple[Float[Tensor, "batch *map"], Mixture]:
    """Weighted sums of whole examples; at depth 0 mixup, at hidden depths manifold mixup.

    Source: Zhang et al., mixup (arXiv 1710.09412), equation 1; Verma et al., Manifold Mixup (arXiv 1806.05236),
    equation 1. The paper draws one ratio a batch (`ratio.per: batch`); ours is one an example unless told.
    """
    return blend(features, mixture), mixture
