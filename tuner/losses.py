"""Losses of mixed targets: one function of logits and target shares, whatever was mixed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from annotated_types import Ge, Lt
from jaxtyping import Float
from torch import Tensor

from tuner.catalog import Table, entry

Loss = Callable[[Tensor, Tensor], Tensor]


def soft_cross_entropy(
    logits: Float[Tensor, "batch classes"], targets: Float[Tensor, "batch classes"], label_smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """Return the mean over the batch of -sum(target x log softmax), in nats.

    Being linear in the target, it equals the same mixture of the sources' losses. Smoothing moves a share
    `label_smoothing` of each row's mass evenly to all classes, so that rows with a sum below 1 keep their sum (torch's
    own would add mass to them).

    Source: Szegedy et al. 2016 (arXiv 1512.00567), section 7, for label smoothing.
    """
    if label_smoothing:
        even = targets.sum(dim=1, keepdim=True) / targets.shape[1]
        targets = torch.lerp(targets, even.expand_as(targets), label_smoothing)
    return -(targets * torch.log_softmax(logits.float(), dim=1)).sum(dim=1).mean()


def cross_entropy(*, label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0) -> Loss:
    """Cross-entropy of the mixed target, with label smoothing."""

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return soft_cross_entropy(logits, targets, label_smoothing)

    return loss


LOSSES = Table("loss", {"cross_entropy": entry(cross_entropy, source="Szegedy et al. 2016, arXiv 1512.00567")})
