"""C-Mixup: mixup for regression, which takes a partner the likelier the nearer its label is."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from jaxtyping import Float, Int
from torch import Tensor

from tuner.mixing.base import LabelGuide, Mixture
from tuner.mixing.blend import blend


def c_mixup(
    features: Float[Tensor, "batch *map"],
    mixture: Mixture,
    rng: torch.Generator,
    guide: LabelGuide,
    *,
    bandwidth: Annotated[float, Ge(1e-6), Le(1e6)] = 1.0,
) -> tuple[Float[Tensor, "batch *map"], Mixture]:
    """Weighted sums of whole examples, the partner drawn by how near its label is; for regression.

    Partner j of example i is drawn from the rest of the batch with probability proportional to
    exp(-(label i - label j)^2 / (2 bandwidth^2)), labels and bandwidth in standard deviations of the target: a small
    bandwidth pairs neighbours, a large one is mixup. At hidden depths it is manifold C-Mixup.

    Source: Yao et al., C-Mixup (arXiv 2210.05775), equation 6. The authors' code draws from the whole training split
    (from the batch with `batch_type: 1`) and lets an example be its own partner, which at a small bandwidth leaves most
    of them unmixed; here it never is, and how much is mixed is the ratio's and the probability's to say.
    """
    drawn = torch.rand(len(features), dtype=torch.float64, generator=rng).to(features.device, non_blocking=True)
    partners = nearby(guide.labels, bandwidth, drawn)
    sources = torch.stack([mixture.sources[:, 0], partners], dim=1)
    mixture = Mixture(sources, mixture.ratios, mixture.shared)
    return blend(features, mixture), mixture


def nearby(labels: Float[Tensor, " batch"], bandwidth: float, drawn: Float[Tensor, " batch"]) -> Int[Tensor, " batch"]:
    """Return a partner for each example by uniform numbers in [0, 1); the example itself where it is alone.

    The probabilities are summed up in each row and the drawn number is looked up there: O(batch^2), on the device.
    """
    own = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    distances = (labels[:, None] - labels).double() / bandwidth
    logits = (-0.5 * distances.square()).masked_fill(own, -torch.inf)
    sums = torch.softmax(logits, dim=1).nan_to_num(0.0).cumsum(dim=1)
    wanted = drawn[:, None] * sums[:, -1:]
    return torch.searchsorted(sums, wanted, right=True).squeeze(1).clamp(max=len(labels) - 1)
