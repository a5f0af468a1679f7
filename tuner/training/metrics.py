"""What is measured of a model on unmixed images: accuracy, negative log-likelihood, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

_BINS = 15


@dataclass(frozen=True)
class Scores:
    """Accuracy and expected calibration error as shares in [0, 1], negative log-likelihood in nats an example."""

    accuracy: float
    nll: float
    ece: float


def scores(logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]) -> Scores:
    """Return the scores of `n` predictions; the host waits for the device here, once."""
    log_probabilities = torch.log_softmax(logits.double(), dim=1)
    confidence, prediction = log_probabilities.max(dim=1)
    hits = (prediction == labels).double()
    nll = -log_probabilities.gather(1, labels[:, None]).mean()
    values = torch.stack([hits.mean(), nll, calibration_error(confidence.exp(), hits)])
    return Scores(*values.tolist())


def class_accuracies(
    logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]
) -> tuple[Float[Tensor, " classes"], Int[Tensor, " classes"]]:
    """Return each class's share of examples that are recognised, 0 where it has none, and its number of examples."""
    classes = logits.shape[1]
    counts = torch.bincount(labels, minlength=classes)
    hits = torch.bincount(labels[logits.argmax(dim=1) == labels], minlength=classes)
    return hits / counts.clamp(min=1), counts


def calibration_error(confidence: Float[Tensor, " n"], hits: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Return the expected calibration error over 15 bins of equal width.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks (arXiv 1706.04599), equation 3.
    """
    # Bins are open at their lower end: (0, 1/15], (1/15, 2/15] ...
    bins = (confidence * _BINS).ceil().long().clamp(1, _BINS) - 1
    gaps = torch.zeros(_BINS, dtype=confidence.dtype, device=confidence.device)
    gaps.scatter_add_(0, bins, hits - confidence)
    return gaps.abs().sum() / len(confidence)
