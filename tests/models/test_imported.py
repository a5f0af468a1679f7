"""A network of one's own, from a study's words to its training."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.examples import RECIPE, split
from tuner import trial
from tuner.datasets import Examples
from tuner.errors import ConfigError
from tuner.models import MODELS, ImageShape, stages

MODULE = '''
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

class Net(nn.Module):
    """Two convolutions, the first of them checkpointed."""
    def __init__(self, image, classes, *, width: int = 4, checkpointed: bool = True):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(image.channels, width, 3, padding=1), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.Tanh(), nn.Dropout(0.2))
        self.head = nn.Linear(width, classes)
        self.checkpointed = checkpointed

    def forward(self, images):
        maps = checkpoint(self.maps, images, use_reentrant=False) if self.checkpointed else self.maps(images)
        return self.head(maps.mean(dim=(2, 3)))

    def maps(self, images):
        return self.layer2(self.layer1(images))

class LooksAtItself(Net):
    def __init__(self, image, classes, *, limit: float = 1e9):
        super().__init__(image, classes)
        if float(self.head.weight.abs().max()) > limit:
            raise ValueError("weights above the limit")

def sequence(image, classes): return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, classes))
def too_few(image, classes): return sequence(image, classes - 1)
def number(image, classes): return 3
def broken(image, classes): return nn.Linear("a", 1)
class Numpy(Net):
    def forward(self, images): return super().forward(torch.from_numpy(images.numpy()))
class Broken(Net):
    def forward(self, images): return self.layer3(images)
class Two(Net):
    def forward(self, images): return super().forward(images), 1
class Views(nn.Sequential):
    def __init__(self, image, classes):
        super().__init__(nn.Conv2d(image.channels, 3, 3, padding=1), nn.Linear(3 * 64, classes))
    def forward(self, images):
        maps = self[0](images)
        return self[1](maps.view(len(maps), -1))
'''


@pytest.fixture(scope="module", autouse=True)
def _own_module(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "networks_of_mine.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield
    del sys.modules["networks_of_mine"]


GRAY = ImageShape(1, 8, 8)


def configured(function: str, mixing: Any = "none", **parameters: Any) -> dict[str, Any]:
    model = {"import": f"networks_of_mine:{function}", **parameters}
    return trial.resolve({"dataset": "digits", "model": model, "mixing": mixing, "training": RECIPE})


def refused(config: dict[str, Any], image: ImageShape = GRAY) -> str:
    with pytest.raises(ConfigError) as caught:
        trial.check_model(config, image, 4)
    return str(caught.value)


def mixup(*depths: int) -> dict[str, Any]:
    return {"name": "mixup", "depths": list(depths)}


def test_stages_are_named_beside_the_functions_own_parameters():
    config = configured("Net", mixup(0, 1, 2), width=8, stages=["layer1", "layer2"])
    assert config["model"]["stages"] == ("layer1", "layer2")
    model = MODELS.build(config["model"], GRAY, 4)
    assert list(stages(model)) == ["layer1", "layer2"]
    assert model.head.weight.shape == (4, 8)
    trial.check_model(config, GRAY, 4)


def test_network_that_leaves_torch_on_its_way_is_checked_on_the_cpu():
    trial.check_model(configured("Numpy", mixup(0, 1), stages=["layer1"]), GRAY, 4)


def test_sequence_of_ones_own_has_its_parts_as_stages():
    assert len(stages(MODELS.build(configured("sequence")["model"], GRAY, 4))) == 3


def test_network_of_ones_own_learns_and_checkpointing_changes_no_number():
    data, states = split(training=200), []
    for checkpointed in (True, False):
        config = configured("Net", mixup(0, 1, 2), checkpointed=checkpointed, stages=["layer1", "layer2"])
        training = trial.build(config, data, seed=0)
        first, *_, last = [training.run_epoch(trial.validation_split(data)) for _ in range(4)]
        assert last.val_nll < first.val_nll
        states.append(training.state()["model"])
        assert not any(module._forward_hooks for module in training.model.modules())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_network_that_looks_at_its_weights_is_checked_on_the_cpu_and_takes_no_random_number():
    config = configured("LooksAtItself", mixup(0, 2), stages=["layer1", "layer2"])
    before = torch.get_rng_state()
    trial.check_model(config, GRAY, 4)
    assert torch.equal(torch.get_rng_state(), before)
    assert "raised ValueError: weights above the limit" in refused(configured("LooksAtItself", limit=0))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            ("Net", mixup(1)),
            "mixing.depths: networks_of_mine:Net has depth 0 alone, got [1]; for more, name submodules in "
            "the model's stages, as stages: [layer1, layer2]; it has layer1, layer2, head",
        ),
        (("sequence", mixup(4)), "mixing.depths: networks_of_mine:sequence has depths 0 to 3, got [4]"),
        (("too_few",), "it returns the shape [2, 3] for 2 images; wanted [2, 4], the logits"),
        (("number",), "model: networks_of_mine:number returns a int; wanted a torch.nn.Module"),
        (("broken",), "model: networks_of_mine:broken raised TypeError: "),
        (("Broken",), "'Broken' object has no attribute 'layer3' ("),
        (("Two",), "it returns a tuple; wanted the logits alone"),
    ],
)
def test_network_that_cannot_be_trained_is_refused(config, words):
    assert words in refused(configured(*config))


def test_network_that_relies_on_the_usual_memory_format_trains():
    def colour(part: Examples) -> Examples:
        return Examples(np.repeat(part.images, 3, axis=1), part.labels)

    gray = split()
    data = replace(gray, training=colour(gray.training), validation=colour(gray.validation))
    assert trial.build(configured("Views"), data, seed=0).run_epoch(trial.validation_split(data)).is_finite()


def test_stage_that_is_not_there_is_refused_with_those_that_are():
    message = refused(configured("Net", stages=["layer3"]))
    assert message.startswith("model: Net has no submodule 'layer3'; did you mean layer")


def test_images_that_do_not_fit_are_named():
    words = "model: networks_of_mine:sequence does not take images of 1x9x9: "
    assert refused(configured("sequence"), ImageShape(1, 9, 9)).startswith(words)
