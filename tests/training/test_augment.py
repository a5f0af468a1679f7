"""Basic augmentation: each example flipped or shifted on its own, and nothing else done to it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor

from tuner.catalog import resolve
from tuner.training.augment import AUGMENTATIONS, Augmentation


def built(name: str, **parameters: Any) -> Augmentation:
    return AUGMENTATIONS.build(resolve(AUGMENTATIONS, {"name": name, **parameters}))


def images(batch: int = 200, channels: int = 3, height: int = 5, width: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(1, 256, (batch, channels, height, width), dtype=torch.uint8, generator=generator)


def mirrored(before: Tensor) -> Tensor:
    result, width = torch.empty_like(before), before.shape[3]
    for column in range(width):
        result[..., column] = before[..., width - 1 - column]
    return result


def shifted(before: Tensor, down: int, right: int) -> Tensor:
    """The images moved within their frame, with zeros where nothing is left."""
    result = torch.zeros_like(before)
    height, width = before.shape[2:]
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                result[..., row, column] = before[..., row - down, column - right]
    return result


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_flip_mirrors_its_share_of_the_examples(probability, rng):
    before = images()
    after = built("flip", probability=probability)(before, rng)
    kept, flipped = ((after == candidate).flatten(1).all(dim=1) for candidate in (before, mirrored(before)))
    assert (kept ^ flipped).all()
    assert stats.binomtest(int(flipped.sum()), len(before), probability).pvalue > 1e-3


@pytest.mark.parametrize("padding", [1, 2])
def test_padded_crop_shifts_each_example_by_up_to_the_padding_every_way_as_often(padding, rng):
    before = images(400)
    after = built("padded_crop", padding=padding)(before, rng)
    reach = range(-padding, padding + 1)
    candidates = [shifted(before, down, right) for down in reach for right in reach]
    found = torch.stack([(after == candidate).flatten(1).all(dim=1) for candidate in candidates])
    assert (found.sum(dim=0) == 1).all()
    assert stats.chisquare(found.sum(dim=1).tolist()).pvalue > 1e-3


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation_keeps_shape_and_type_and_its_input(name, rng):
    before = images(7)
    copy = before.clone()
    after = built(name)(before, rng)
    assert (after.shape, after.dtype) == (before.shape, torch.uint8)
    assert torch.equal(before, copy)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_same_generator_same_result(name):
    first, again, other = (built(name)(images(), torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_nothing_is_fetched_from_the_device(name, rng):
    assert built(name)(images().to("meta"), rng).device.type == "meta"


@pytest.mark.gpu
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_gpu_gives_what_the_cpu_gives(name):
    on_cpu = built(name)(images(), torch.Generator().manual_seed(0))
    on_gpu = built(name)(images().cuda(), torch.Generator().manual_seed(0))
    assert torch.equal(on_gpu.cpu(), on_cpu)
