"""SamplePairing: another image is averaged in, and its label left out."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tuner.mixing.base import Mixture
from tuner.mixing.blend import blend


def sample_pairing(
    features: Float[Tensor, "batch *map"], mixture: Mixture, rng: torch.Generator
) -> tuple[Float[Tensor, "batch *map"], Mixture]:
    """Weighted sums of whole examples whose target is the example's own label alone.

    The paper's ratio is one half, the default here (`ratio: fixed`). Its schedule (off for the first epochs, on and
    off in turns, off at the end) is not part of this.

    Source: Inoue, Data Augmentation by Pairing Samples (arXiv 1801.02929), section 3.
    """
    own = torch.zeros_like(mixture.ratios)
    own[:, 0] = mixture.ratios.sum(dim=1)
    return blend(features, mixture), Mixture(mixture.sources, own)
