"""What every model of the table promises: stages, logits, and mixing at any depth."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tuner.catalog import resolve
from tuner.models import MODELS, ImageShape, Mix, mixing_at, stages

SMALL: dict[str, dict[str, Any]] = {
    "preact_resnet18": {"width": 4},
    "wide_resnet": {"depth": 10, "width": 1},
    "torchvision": {"architecture": "shufflenet_v2_x0_5"},
}
SHAPES = [ImageShape(1, 28, 28), ImageShape(3, 16, 16), ImageShape(3, 33, 20)]


def built(name: str, image: ImageShape, classes: int = 7, **parameters: Any) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MODELS.build(resolve(MODELS, {"name": name, **SMALL.get(name, {}), **parameters}), image, classes)


def images(shape: ImageShape, batch: int = 3) -> Tensor:
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(1))


def forward(model: nn.Module, inputs: Tensor, depth: int, mix: Mix) -> Tensor:
    with mixing_at(model, depth, mix, torch.Generator()) as run:
        return run(inputs)


every_model = pytest.mark.parametrize("name", MODELS)


@every_model
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_model_has_stages_and_makes_logits(name, shape):
    model = built(name, shape)
    assert len(stages(model)) >= 1
    assert model(images(shape)).shape == (3, 7)


@every_model
def test_identity_at_any_depth_changes_nothing(name):
    model, inputs = built(name, SHAPES[1]).eval(), images(SHAPES[1])
    for depth in range(len(stages(model)) + 1):
        assert torch.equal(forward(model, inputs, depth, lambda features, rng: features), model(inputs))


@every_model
def test_mixing_happens_once_at_every_depth_deeper_and_deeper(name):
    model, inputs = built(name, SHAPES[1]).eval(), images(SHAPES[1])
    seen: list[Tensor] = []

    def swap(features: Tensor, rng: torch.Generator) -> Tensor:
        seen.append(features)
        return features.flip(0)

    for depth in range(len(stages(model)) + 1):
        logits = forward(model, inputs, depth, swap)
        torch.testing.assert_close(logits, model(inputs).flip(0))
        assert len(seen) == depth + 1
    assert torch.equal(seen[0], inputs)
    sides = [features.shape[-1] for features in seen if features.ndim == 4]
    assert sides == sorted(sides, reverse=True)


@pytest.mark.parametrize("name", ["small_cnn", "preact_resnet18", "wide_resnet", "mlp"])
def test_depth_k_of_a_sequence_is_what_its_first_k_parts_return(name):
    model, inputs = built(name, SHAPES[1]).eval(), images(SHAPES[1])
    assert isinstance(model, nn.Sequential)
    assert len(stages(model)) == len(model) - 1
    for depth in range(len(model)):
        seen: list[Tensor] = []
        forward(model, inputs, depth, lambda features, rng, seen=seen: seen.append(features) or features)
        assert torch.equal(seen[0], model[:depth](inputs))


@every_model
def test_logits_do_not_depend_on_the_memory_format(name):
    model, inputs = built(name, SHAPES[1]).eval(), images(SHAPES[1])
    expected = model(inputs)
    last = built(name, SHAPES[1]).eval().to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(inputs.to(memory_format=torch.channels_last)), expected, rtol=1e-4, atol=1e-5)


@every_model
def test_every_parameter_gets_a_gradient_with_mixing_at_every_depth(name):
    model, inputs = built(name, SHAPES[1]), images(SHAPES[1])

    def mean(features: Tensor, rng: torch.Generator) -> Tensor:
        return 0.5 * (features + features.flip(0))

    for depth in range(len(stages(model)) + 1):
        model.zero_grad()
        with mixing_at(model, depth, mean, torch.Generator()) as run:
            run(inputs).square().sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters())


@every_model
def test_initial_weights_come_from_torchs_global_generator_alone(name):
    first, second = built(name, SHAPES[0]).state_dict(), built(name, SHAPES[0]).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@every_model
def test_model_does_not_write_to_its_input(name):
    inputs = images(SHAPES[0])
    before = inputs.clone()
    built(name, SHAPES[0])(inputs)
    assert torch.equal(inputs, before)
