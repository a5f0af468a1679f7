"""Optimizers: one step worked by hand, and their fused kernels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim import Optimizer

from tuner.catalog import resolve
from tuner.training.optimizer import OPTIMIZERS


def built(parameter: Parameter, name: str, **parameters: Any) -> Optimizer:
    return OPTIMIZERS.build(resolve(OPTIMIZERS, {"name": name, **parameters}), [parameter])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_is_fused_and_goes_downhill(name):
    parameter = Parameter(torch.tensor([1.0]))
    optimizer = built(parameter, name)
    assert optimizer.param_groups[0]["fused"] is True
    (3 * parameter).sum().backward()
    optimizer.step()
    assert float(parameter.detach()) < 1


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        # Gradient 3 with decay 0.1 x 1 is 3.1; Nesterov's first step is 3.1 + 0.9 x 3.1 = 5.89.
        ({"weight_decay": 0.1}, 1 - 0.01 * 5.89),
        ({"weight_decay": 0.0, "nesterov": False}, 1 - 0.01 * 3),
        ({"weight_decay": 0.1, "nesterov": False, "momentum": 0.0}, 1 - 0.01 * 3.1),
    ],
)
def test_first_step_of_sgd_worked_by_hand(parameters, expected):
    parameter = Parameter(torch.tensor([1.0]))
    optimizer = built(parameter, "sgd", learning_rate=0.01, momentum=parameters.pop("momentum", 0.9), **parameters)
    (3 * parameter).sum().backward()
    optimizer.step()
    assert float(parameter.detach()) == pytest.approx(expected)


def test_weight_decay_of_adamw_is_apart_from_the_gradient_and_adams_is_not():
    moved = {}
    for name in ("adam", "adamw"):
        parameter = Parameter(torch.tensor([2.0]))
        optimizer = built(parameter, name, learning_rate=0.01, weight_decay=0.5)
        parameter.grad = torch.tensor([-0.5])
        optimizer.step()
        moved[name] = 2 - float(parameter.detach())
    # A first step is the learning rate against the gradient's sign. Adam's decay, 0.5 x 2, turns that sign; AdamW's
    # shrinks the weight by 0.01 x 0.5 x 2, which the step uphill undoes.
    assert moved == pytest.approx({"adam": 0.01, "adamw": 0.0}, abs=1e-5)


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ValueError, match="nesterov needs momentum > 0; set nesterov: false"):
        built(Parameter(torch.zeros(1)), "sgd", momentum=0.0)
