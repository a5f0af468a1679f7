"""A regression's targets as the network learns them: less their mean, divided by their deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class TargetScaling:
    """Mean and deviation of the target over the training split, on the device; outputs come back in its unit."""

    mean: Float[Tensor, ""]
    deviation: Float[Tensor, ""]

    def scaled(self, labels: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """Return labels as the network learns them."""
        return (labels - self.mean) / self.deviation

    def in_unit(self, outputs: Float[Tensor, "batch 1"]) -> Float[Tensor, "batch 1"]:
        """Return a network's outputs in the target's unit."""
        return outputs * self.deviation + self.mean


def target_scaling(labels: np.ndarray, device: torch.device) -> TargetScaling:
    """Return the scaling that gives these labels mean 0 and deviation 1; of equal ones the deviation counts as 1."""
    mean = labels.mean(dtype=np.float64)
    deviation = labels.std(dtype=np.float64) if np.ptp(labels) > 0 else 1.0
    mean_, deviation_ = (torch.tensor(value, dtype=torch.float32, device=device) for value in (mean, deviation))
    return TargetScaling(mean_, deviation_)
