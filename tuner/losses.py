"""Losses of mixed targets: one function of logits and target shares, or of outputs and numbers, whatever was mixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from tuner.catalog import Table, entry

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class LossFacts:
    """What is known of a loss before it runs: whether its targets are shares of classes, or numbers."""

    targets: Literal["classes", "numbers"]


def soft_cross_entropy(
    logits: Float[Tensor, "batch classes"], targets: Float[Tensor, "batch classes"], label_smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """Return the mean over the batch of -sum(target x log softmax), in nats.

    Being linear in the target, it equals the same mixture of the sources' losses. Smoothing moves a share
    `label_smoothing` of each row's mass evenly to all classes, so that rows with a sum below 1 keep their sum (torch's
    own would add mass to them).

    Source: Szegedy et al. 2016 (arXiv 1512.00567), section 7, for label smoothing.
    """
    targets = _smoothed(targets, label_smoothing)
    return -(targets * torch.log_softmax(logits.float(), dim=1)).sum(dim=1).mean()


def bi_tempered_logistic(
    logits: Float[Tensor, "batch classes"],
    targets: Float[Tensor, "batch classes"],
    t1: float,
    t2: float,
    steps: int = 8,
) -> Float[Tensor, ""]:
    """Return the mean over the batch of -sum(target x log_t1 p) - mass x (1 - sum(p ** (2 - t1))) / (2 - t1).

    p is the tempered softmax of the logits, log_t(p) is (p ** (1 - t) - 1) / (1 - t), and mass is the row's sum. With
    t1 = t2 = 1 this is `soft_cross_entropy`. A row's loss is at most mass / (1 - t1).

    The paper's loss, a Bregman divergence, also has a term of the target alone, which is 0 for a single class and is
    left out here: it has no gradient, it alone keeps the loss of a mixed target from being the same mixture of the
    sources' losses, and it would make t1 = t2 = 1 differ from cross-entropy by the target's entropy. So a row of mass
    m counts as m times the row that sums to 1, as in `soft_cross_entropy`.

    Source: Amid et al. 2019 (arXiv 1906.03361), section 3.
    """
    log_p = log_tempered_softmax(logits, t2, steps)
    mass = targets.sum(dim=1)
    log_t1 = log_p if t1 == 1 else torch.expm1((1 - t1) * log_p) / (1 - t1)
    powers = torch.exp((2 - t1) * log_p).sum(dim=1)
    return (-(targets * log_t1).sum(dim=1) - mass * (1 - powers) / (2 - t1)).mean()


def log_tempered_softmax(
    logits: Float[Tensor, "batch classes"], t: float, steps: int
) -> Float[Tensor, "batch classes"]:
    """Return log p, p = (1 + (t - 1)(normaliser - logit)) ** (-1 / (t - 1)) with rows that sum to 1, in full precision.

    The normaliser is found by Newton's method on sum(p) ** (1 - t) = 1. The left side is concave in it, so every step
    from the largest logit on nears the root and none passes it. The paper's fixed-point iteration costs as much a step
    and converges linearly. Only the last step is differentiated: at the root its derivative is the normaliser's.

    Source: Amid et al. 2019 (arXiv 1906.03361), section 3.1, for the probabilities.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if t == 1:
        return torch.log_softmax(logits, dim=1)
    gaps = logits.detach().amax(dim=1, keepdim=True) - logits
    normaliser = torch.zeros_like(gaps[:, :1])
    with torch.no_grad():
        for _ in range(steps - 1):
            normaliser = normaliser + _newton_step(gaps, normaliser, t - 1)
    normaliser = normaliser + _newton_step(gaps, normaliser, t - 1)
    return -torch.log1p((t - 1) * (gaps + normaliser)) / (t - 1)


def _newton_step(gaps: Tensor, normaliser: Tensor, s: float) -> Tensor:
    """Return how far to move the normaliser; everything is in logs, as the powers overflow and 1 / s may be large."""
    log_u = torch.log1p(s * (gaps + normaliser))
    log_sum = torch.logsumexp(-log_u / s, dim=1, keepdim=True)
    slope = torch.exp(-log_u / s - log_sum - log_u).sum(dim=1, keepdim=True)
    return torch.expm1(s * log_sum) / (s * slope.detach())


def _smoothed(targets: Tensor, label_smoothing: float) -> Tensor:
    if not label_smoothing:
        return targets
    even = targets.sum(dim=1, keepdim=True) / targets.shape[1]
    return torch.lerp(targets, even.expand_as(targets), label_smoothing)


def cross_entropy(*, label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0) -> Loss:
    """Cross-entropy of the mixed target, with label smoothing."""

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return soft_cross_entropy(logits, targets, label_smoothing)

    return loss


def bi_tempered(
    *,
    t1: Annotated[float, Ge(0), Le(1)] = 0.8,
    t2: Annotated[float, Ge(1), Le(10)] = 1.2,
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0,
    mass: Literal["normalise", "weight"] = "normalise",
    steps: Annotated[int, Ge(1), Le(100)] = 8,
) -> Loss:
    """Bi-tempered logistic loss, bounded for t1 < 1 and heavy-tailed for t2 > 1; normalises targets to sum to 1.

    Targets are normalised row by row, whatever they sum to; a row of zeros counts as 0. With `mass: weight` a
    normalised row's loss is multiplied by what the row summed to, as cross-entropy does it. Smoothing means what it
    does in `cross_entropy`. `steps` is how often the softmax's normaliser is improved: with 8 the probabilities of 1000
    classes sum to 1 within 1e-6, with the paper's 5 fixed-point steps some sum to 1.6.
    """

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        if mass == "normalise":
            targets = targets / targets.sum(dim=1, keepdim=True).clamp_min(torch.finfo(targets.dtype).tiny)
        return bi_tempered_logistic(logits, _smoothed(targets, label_smoothing), t1, t2, steps)

    return loss


def mse() -> Loss:
    """Mean squared error of a regression, its targets divided by their deviation."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(outputs.float(), targets)

    return loss


def mae() -> Loss:
    """Mean absolute error of a regression, its targets divided by their deviation: outliers count less."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.l1_loss(outputs.float(), targets)

    return loss


def huber(*, delta: Annotated[float, Gt(0), Le(1000)] = 1.0) -> Loss:
    """Half the squared error of a regression up to `delta` deviations of the target, linear beyond."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.huber_loss(outputs.float(), targets, delta=delta)

    return loss


_CLASSES, _NUMBERS = LossFacts("classes"), LossFacts("numbers")

LOSSES = Table(
    "loss",
    {
        "cross_entropy": entry(cross_entropy, source="Szegedy et al. 2016, arXiv 1512.00567", facts=_CLASSES),
        "bi_tempered": entry(bi_tempered, source="Amid et al. 2019, arXiv 1906.03361", facts=_CLASSES),
        "mse": entry(mse, source="Legendre 1805, the method of least squares", facts=_NUMBERS),
        "mae": entry(mae, source="Boscovich 1757, least absolute deviations", facts=_NUMBERS),
        "huber": entry(huber, source="Huber 1964, Annals of Mathematical Statistics 35", facts=_NUMBERS),
    },
)


def is_regression(loss: Mapping[str, Any]) -> bool:
    """Tell whether a configured loss is of numbers, not of classes."""
    return bool(LOSSES.entry_of(loss).facts == _NUMBERS)
