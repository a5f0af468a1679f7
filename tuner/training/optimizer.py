"""Optimizers, fused where torch has a fused kernel, by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from annotated_types import Ge, Gt, Lt
from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer

from tuner.catalog import Table, entry

Rate = Annotated[float, Gt(0)]
Decay = Annotated[float, Ge(0)]
Beta = Annotated[float, Ge(0), Lt(1)]
Epsilon = Annotated[float, Gt(0)]


def sgd(
    parameters: Iterable[Parameter],
    *,
    learning_rate: Rate = 0.1,
    momentum: Beta = 0.9,
    nesterov: bool = True,
    weight_decay: Decay = 5e-4,
) -> Optimizer:
    """Stochastic gradient descent with momentum, Nesterov's by default.

    Raises:
        ValueError: nesterov without momentum.
    """
    if nesterov and momentum == 0:
        raise ValueError("nesterov needs momentum > 0; set nesterov: false")
    return SGD(parameters, learning_rate, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, fused=True)


def adam(
    parameters: Iterable[Parameter],
    *,
    learning_rate: Rate = 1e-3,
    beta1: Beta = 0.9,
    beta2: Beta = 0.999,
    epsilon: Epsilon = 1e-8,
    weight_decay: Decay = 0.0,
) -> Optimizer:
    """Adam; `weight_decay` is added to the gradient."""
    return Adam(parameters, learning_rate, betas=(beta1, beta2), eps=epsilon, weight_decay=weight_decay, fused=True)


def adamw(
    parameters: Iterable[Parameter],
    *,
    learning_rate: Rate = 1e-3,
    beta1: Beta = 0.9,
    beta2: Beta = 0.999,
    epsilon: Epsilon = 1e-8,
    weight_decay: Decay = 0.05,
) -> Optimizer:
    """Adam with decoupled weight decay."""
    return AdamW(parameters, learning_rate, betas=(beta1, beta2), eps=epsilon, weight_decay=weight_decay, fused=True)


OPTIMIZERS = Table(
    "optimizer",
    {
        "sgd": entry(sgd, source="Sutskever et al. 2013"),
        "adam": entry(adam, source="Kingma and Ba 2015, arXiv 1412.6980"),
        "adamw": entry(adamw, source="Loshchilov and Hutter 2019, arXiv 1711.05101"),
    },
)
