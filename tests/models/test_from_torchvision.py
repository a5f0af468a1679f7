"""torchvision's models: every one builds with stages, for images and classes of any number."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from tuner import trial
from tuner.catalog import resolve
from tuner.errors import ConfigError
from tuner.models import MODELS, ImageShape, stages
from tuner.models.from_torchvision import known_stages

ARCHITECTURES = models.list_models(module=models)
SMALLEST = {"alexnet": 64, "inception_v3": 75, "maxvit_t": 224, "squeezenet1_0": 28, "vit": 28}
"""A side that works, where it is not 32."""


def built(architecture: str, image: ImageShape, classes: int = 7, **parameters: Any) -> nn.Module:
    config = resolve(MODELS, {"name": "torchvision", "architecture": architecture, **parameters})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return MODELS.build(config, image, classes)


def on_meta(architecture: str, image: ImageShape) -> nn.Module:
    # The first of regnet's lines looks at numbers that it keeps in a tensor.
    with torch.device("cpu" if architecture.startswith("regnet") else "meta"):
        return built(architecture, image).to("meta")


def side(architecture: str) -> int:
    if architecture.startswith("vit_"):
        return 2 * int(architecture.rpartition("_")[2])
    return SMALLEST.get(architecture, 32)


def stage_outputs(model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    outputs: dict[str, Tensor] = {}
    for name, stage in stages(model).items():
        stage.register_forward_hook(lambda _module, _inputs, output, name=name: outputs.update({name: output}))
    outputs["logits"] = model(inputs)
    return outputs


LARGE = {"regnet_y_128gf", "regnet_y_32gf", "regnet_x_32gf", "regnet_y_16gf", "regnet_x_16gf"}
"""Their weights are drawn for real, gigabytes of them."""

QUICK = {
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3"),
    *("maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "resnet18", "resnext50_32x4d"),
    *("shufflenet_v2_x0_5", "squeezenet1_0", "swin_t", "swin_v2_t", "vgg11", "vit_b_16", "wide_resnet50_2"),
}
"""One of each kind."""


@pytest.mark.parametrize(
    "architecture",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.heavy) for name in sorted({*ARCHITECTURES} - LARGE)],
)
def test_every_architecture_takes_small_gray_images_and_has_stages_that_run_in_order(architecture):
    size = side(architecture)
    model = on_meta(architecture, ImageShape(1, size, size)).to(memory_format=torch.channels_last)
    inputs = torch.empty(2, 1, size, size, device="meta").to(memory_format=torch.channels_last)
    outputs = stage_outputs(model, inputs)
    assert outputs["logits"].shape == (2, 7)
    assert list(outputs) == [*stages(model), "logits"]
    assert len(outputs) > 3
    assert all(len(output) == 2 for output in outputs.values())


@pytest.mark.parametrize("architecture", ["resnet18", "vgg11_bn", "mobilenet_v2", "efficientnet_b0", "googlenet"])
def test_maps_shrink_from_stage_to_stage(architecture):
    model = on_meta(architecture, ImageShape(3, 224, 224))
    outputs = stage_outputs(model, torch.empty(2, 3, 224, 224, device="meta"))
    sides = [output.shape[-1] for name, output in outputs.items() if name != "logits"]
    assert sides == sorted(set(sides), reverse=True)
    assert sides[-1] == 7


def test_resnets_stages_are_the_four_that_papers_mix_at():
    assert list(stages(on_meta("resnet18", ImageShape(3, 32, 32)))) == ["layer1", "layer2", "layer3", "layer4"]


def test_named_stages_take_the_place_of_the_known_ones():
    with torch.device("meta"):
        model = built("resnet18", ImageShape(3, 32, 32), stages=["conv1", "layer1.0"])
    assert list(stages(model)) == ["conv1", "layer1.0"]


def test_architecture_newer_than_the_table_has_no_stages_of_its_own():
    assert known_stages("futurenet_xl", nn.Identity()) == ()


def test_gray_images_are_seen_as_the_same_in_three_colours(rng):
    torch.manual_seed(0)
    colour = built("squeezenet1_1", ImageShape(3, 32, 32)).eval()
    torch.manual_seed(0)
    gray = built("squeezenet1_1", ImageShape(1, 32, 32)).eval()
    images = torch.randn(2, 1, 32, 32, generator=rng)
    torch.testing.assert_close(gray(images), colour(images.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)


def test_more_channels_keep_the_strength_of_the_first_convolution(rng):
    torch.manual_seed(0)
    colour = built("squeezenet1_1", ImageShape(3, 32, 32)).eval()
    torch.manual_seed(0)
    six = built("squeezenet1_1", ImageShape(6, 32, 32)).eval()
    images = torch.randn(2, 3, 32, 32, generator=rng)
    torch.testing.assert_close(six(images.repeat(1, 2, 1, 1)), colour(images), rtol=1e-4, atol=1e-5)


def test_weights_of_a_file_are_loaded_and_the_head_is_new(tmp_path):
    torch.manual_seed(0)
    trained = built("squeezenet1_1", ImageShape(3, 32, 32), classes=5)
    torch.save(trained.state_dict(), tmp_path / "weights.pt")
    model = built("squeezenet1_1", ImageShape(1, 32, 32), weights=str(tmp_path / "weights.pt"))
    found = model.state_dict()
    for name, value in trained.state_dict().items():
        if name == "features.0.weight":
            torch.testing.assert_close(found[name], value.sum(dim=1, keepdim=True))
        elif not name.startswith("classifier"):
            assert torch.equal(found[name], value)
    assert found["classifier.1.weight"].shape[0] == 7


@pytest.mark.parametrize(
    ("architecture", "parameters", "image", "words"),
    [
        ("resnet81", {}, (3, 32, 32), "torchvision has no classification model 'resnet81'; did you mean resnet18"),
        (
            "resnet18",
            {"weights": "BEST"},
            (3, 32, 32),
            "weights 'BEST' is no file, nor one of none, DEFAULT, IMAGENET1K",
        ),
        ("resnet18", {"stages": ["layer5"]}, (3, 32, 32), "ResNet has no submodule 'layer5'; did you mean layer"),
        ("vit_b_16", {}, (3, 28, 28), "vit_b_16 needs square images of a multiple of 16 pixels, got 28x28"),
        ("vit_b_16", {}, (3, 32, 16), "needs square images"),
        ("maxvit_t", {}, (3, 32, 32), "maxvit_t needs images of a multiple of 224 pixels, got 32x32"),
    ],
)
def test_what_torchvision_cannot_build_is_refused(architecture, parameters, image, words):
    with pytest.raises(ValueError, match=words), torch.device("meta"):
        built(architecture, ImageShape(*image), **parameters)


def test_weights_of_another_architecture_are_refused(tmp_path):
    torch.save(models.squeezenet1_1().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="of resnet18 do not fit: conv1"), torch.device("meta"):
        built("resnet18", ImageShape(3, 32, 32), weights=str(tmp_path / "weights.pt"))
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(ValueError, match="is no state_dict as torch"):
        built("resnet18", ImageShape(3, 32, 32), weights=str(tmp_path / "text.pt"))


def configured(architecture: str, mixing: Any = "none") -> dict[str, Any]:
    model = {"name": "torchvision", "architecture": architecture}
    return trial.resolve({"dataset": "digits", "model": model, "mixing": mixing})


def test_images_too_small_for_an_architecture_are_refused_with_their_size():
    with pytest.raises(ConfigError, match=r"^model: torchvision does not take images of 1x8x8: .* too small"):
        trial.check_model(configured("vgg11"), ImageShape(1, 8, 8), 10)


@pytest.mark.parametrize("architecture", ["resnet18", "regnet_x_400mf", "vit_b_16"])
def test_every_depth_is_checked_even_of_models_that_cannot_be_built_without_memory(architecture):
    trial.check_model(configured(architecture, {"name": "mixup", "depths": [0, 1, 4]}), ImageShape(1, 32, 32), 10)
    mixing = {"name": "mixup", "depths": [0, 99]}
    with pytest.raises(ConfigError, match="torchvision has depths 0 to"):
        trial.check_model(configured(architecture, mixing), ImageShape(1, 32, 32), 10)
