"""What is measured of a model on unmixed examples: accuracy, likelihood and calibration, or a regression's errors."""

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


@dataclass(frozen=True)
class RegressionScores:
    """Root of the mean squared error and mean absolute error in the target's unit; share of the variance explained."""

    rmse: float
    mae: float
    r2: float


def regression_scores(outputs: Float[Tensor, "n 1"], labels: Float[Tensor, " n"]) -> RegressionScores:
    """Return the scores of `n` predictions; the host waits for the device here, once.

    Of labels that are all the same, r2 is 1 where every prediction is right, else 0, as scikit-learn has it.
    """
    labels, errors = labels.double(), outputs[:, 0].double() - labels.double()
    squares, variance = errors.square().mean(), labels.var(correction=0)
    r2 = torch.where(variance > 0, 1 - squares / variance, (squares == 0).double())
    return RegressionScores(*torch.stack([squares.sqrt(), errors.abs().mean(), r2]).tolist())


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
