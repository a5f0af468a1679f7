"""The networks are the ones they are named after."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tuner.catalog import resolve
from tuner.models import MODELS, ImageShape
from tuner.models.residual import PreActivationBlock


def built(name: str, image: ImageShape, classes: int = 10, **parameters: Any) -> nn.Sequential:
    return MODELS.build(resolve(MODELS, {"name": name, **parameters}), image, classes)


def size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_small_cnn_has_the_parameters_of_the_keras_example():
    # Conv16 5x5, Conv32 5x5, Dense128, Dense10, each with biases.
    expected = (5 * 5 * 1 * 16 + 16) + (5 * 5 * 16 * 32 + 32) + (32 * 128 + 128) + (128 * 10 + 10)
    assert size(built("small_cnn", ImageShape(1, 28, 28))) == expected == 18_762


def test_small_cnn_starts_as_keras_does():
    for layer in built("small_cnn", ImageShape(1, 28, 28)).modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(layer.weight)
            bound = (6 / (fan_in + fan_out)) ** 0.5
            assert 0.9 * bound < float(layer.weight.detach().abs().max()) <= bound
            assert not layer.bias.any()


def test_pooling_before_relu_is_relu_before_pooling(rng):
    features = torch.randn(4, 8, 9, 10, generator=rng)
    pool, relu = nn.MaxPool2d(2), nn.ReLU()
    assert torch.equal(relu(pool(features)), pool(relu(features)))


def test_small_cnn_is_the_keras_examples_function(rng):
    model = built("small_cnn", ImageShape(1, 28, 28)).eval()
    images = torch.randn(3, 1, 28, 28, generator=rng)
    first, second = (layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    hidden, last = (layer for layer in model.modules() if isinstance(layer, nn.Linear))
    maps = nn.functional.max_pool2d(first(images).relu(), 2)
    maps = nn.functional.max_pool2d(second(maps).relu(), 2)
    torch.testing.assert_close(model(images), last(hidden(maps.mean(dim=(2, 3))).relu()))


@pytest.mark.parametrize(
    ("image", "parameters", "words"),
    [
        (ImageShape(1, 15, 28), {}, "small_cnn needs images of 16 pixels or more, got 15x28; set padding: same"),
        (ImageShape(1, 8, 8), {}, "16 pixels or more, got 8x8; set padding: same"),
        (ImageShape(1, 3, 8), {"padding": "same"}, "4 pixels or more, got 3x8; use larger images"),
        (ImageShape(1, 20, 20), {"channels": [4, 4, 4], "kernel": 3}, "22 pixels or more, got 20x20"),
    ],
)
def test_images_too_small_for_small_cnn_are_refused(image, parameters, words):
    with pytest.raises(ValueError, match=words):
        built("small_cnn", image, **parameters)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("channels", [[4], [4, 4], [4, 4, 4]], ids=len)
def test_smallest_image_that_small_cnn_takes_works_and_one_less_is_refused(padding, kernel, channels):
    parameters = {"padding": padding, "kernel": kernel, "channels": channels}
    lost = (kernel - 1) * (2 ** len(channels) - 1) if padding == "valid" else 0
    smallest = 2 ** len(channels) + lost
    model = built("small_cnn", ImageShape(2, smallest, smallest), **parameters)
    assert model(torch.zeros(2, 2, smallest, smallest)).shape == (2, 10)
    with pytest.raises(ValueError, match=f"needs images of {smallest} pixels"):
        built("small_cnn", ImageShape(2, smallest - 1, smallest), **parameters)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("kernel", [2, 4])
def test_even_kernel_with_same_padding_is_torchs_own(kernel, rng):
    model = built("small_cnn", ImageShape(1, 8, 8), padding="same", kernel=kernel, channels=[3])
    images = torch.randn(2, 1, 8, 8, generator=rng)
    layer = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    expected = nn.functional.conv2d(images, layer.weight, layer.bias, padding="same")
    torch.testing.assert_close(model[0][:2](images), expected)


def test_preact_resnet18_has_11_17_million_parameters():
    with torch.device("meta"):
        assert size(built("preact_resnet18", ImageShape(3, 32, 32))) == pytest.approx(11.17e6, abs=0.005e6)


def test_wide_resnet_28_10_has_36_5_million_parameters():
    with torch.device("meta"):
        assert size(built("wide_resnet", ImageShape(3, 32, 32))) == pytest.approx(36.5e6, abs=0.05e6)


@pytest.mark.parametrize(("before", "after", "stride"), [(3, 3, 1), (3, 5, 1), (3, 3, 2)])
def test_block_is_pre_activation_with_a_projection_where_the_shape_changes(before, after, stride, rng):
    block = PreActivationBlock(before, after, stride).eval()
    features = torch.randn(2, before, 6, 6, generator=rng)
    # Batch norm in its initial state and evaluation mode is a division by sqrt(1 + 1e-5).
    active = (features / 1.00001**0.5).relu()
    residual = block.conv2((block.conv1(active) / 1.00001**0.5).relu())
    shortcut = features
    if (before, stride) != (after, 1):
        shortcut = nn.functional.conv2d(active, block.shortcut.weight, stride=stride)
    torch.testing.assert_close(block(features), residual + shortcut)


@pytest.mark.parametrize(("name", "sides"), [("preact_resnet18", [32, 16, 8, 4]), ("wide_resnet", [32, 16, 8])])
def test_residual_networks_halve_their_maps_from_group_to_group(name, sides):
    with torch.device("meta"):
        model = built(name, ImageShape(3, 32, 32))
        features, seen = torch.empty(2, 3, 32, 32), []
        for group in model[:-1]:
            features = group(features)
            seen.append(features.shape[-1])
    assert seen == sides


def test_wide_resnets_depth_is_refused_unless_it_is_one():
    with pytest.raises(ValueError, match=r"depth must be 4 more than a multiple of 6 .*, got 20"):
        built("wide_resnet", ImageShape(3, 32, 32), depth=20)


@pytest.mark.parametrize("name", ["preact_resnet18", "wide_resnet"])
def test_residual_networks_refuse_images_below_8_pixels(name):
    with pytest.raises(ValueError, match=f"{name} needs images of 8 pixels or more, got 8x7; use small_cnn"):
        built(name, ImageShape(3, 8, 7))


def test_mlp_without_hidden_layers_is_one_linear_layer():
    model = built("mlp", ImageShape(1, 8, 8), hidden=[])
    assert len(model) == 1
    assert size(model) == 64 * 10 + 10
