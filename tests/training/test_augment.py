"""Basic augmentation: each example flipped or shifted on its own, and nothing else done to it."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
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


@pytest.mark.parametrize("shape", [(7, 3, 5, 6), (1, 3, 9, 9), (4, 1, 28, 28), (3, 1, 7, 12), (2, 3, 1, 2)])
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation_keeps_shape_and_type_and_its_input(name, shape, rng):
    before = images(*shape)
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
def test_each_example_is_drawn_on_its_own(name, rng):
    before = images(1, 3, 16, 16).expand(64, 3, 16, 16)
    kinds = len(built(name)(before, rng).flatten(1).unique(dim=0))
    assert kinds == 2 if name == "flip" else kinds > 10


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_global_generators_are_neither_used_nor_moved(name):
    results = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)  # its state is not compared: the type checker draws from it
        before = torch.get_rng_state(), np.random.get_state()[1].tolist()
        results.append(built(name)(images(), torch.Generator().manual_seed(0)))
        assert torch.equal(torch.get_rng_state(), before[0])
        assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(*results)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_images_that_are_no_bytes_are_refused(name, rng):
    with pytest.raises(Exception, match="Type-check error"):
        built(name)(images().float(), rng)


@pytest.mark.parametrize("name", ["color_jitter", "auto_augment", "rand_augment", "trivial_augment_wide"])
def test_changes_of_colour_refuse_images_of_two_channels(name, rng):
    with pytest.raises(ValueError, match="need images of 1 or 3 channels, got 2"):
        built(name)(images(channels=2), rng)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("random_resized_crop", "area_low", "area_high"),
        ("random_erasing", "area_low", "area_high"),
        ("gaussian_blur", "sigma_low", "sigma_high"),
    ],
)
def test_range_that_ends_before_it_begins_is_refused(name, low, high):
    with pytest.raises(ValueError, match=f"wanted {low} <= {high}, got 0.5 and 0.2"):
        built(name, **{low: 0.5, high: 0.2})


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("random_resized_crop", {"area_low": 1.0, "aspect_ratio": 1.0}),
        ("affine", {"degrees": 0.0, "translate": 0.0, "scale": 0.0, "shear": 0.0}),
        ("elastic", {"probability": 0.0}),
        ("color_jitter", {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}),
        ("color_jitter", {"probability": 0.0}),
        ("gaussian_noise", {"probability": 0.0}),
        ("gaussian_blur", {"probability": 0.0}),
        ("random_erasing", {"probability": 0.0}),
    ],
    ids=str,
)
def test_augmentation_that_may_do_nothing_does_nothing(name, parameters, rng):
    before = images(20, 3, 8, 8)
    assert torch.equal(built(name, **parameters)(before, rng), before)


@pytest.mark.parametrize("fill", ["zero", "noise"])
def test_erased_is_a_box_of_the_wanted_area_in_the_wanted_share(fill, rng):
    before = images(600, 1, 32, 32)
    after = built("random_erasing", probability=0.4, area_low=0.1, area_high=0.2, fill=fill)(before, rng)
    changed = (after != before)[:, 0]
    touched = changed.flatten(1).any(dim=1)
    assert stats.binomtest(int(touched.sum()), 600, 0.4).pvalue > 1e-3
    for example in changed[touched]:
        rows, columns = torch.nonzero(example, as_tuple=True)
        box = example[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert box.float().mean() > (0.999 if fill == "zero" else 0.9)
        assert 0.08 < box.numel() / 32**2 < 0.22
    assert fill == "noise" or after[:, 0][changed].max() == 0


def test_crop_of_a_shape_that_never_fits_is_the_largest_central_one(rng):
    before = images(5, 1, 4, 40)
    after = built("random_resized_crop", area_low=1.0, aspect_ratio=2.0)(before, rng)
    middle = before[:, :, :, 16:24]  # 4 x 8, scaled to 4 x 40: every fifth column is read at its centre
    assert torch.equal(after[:, :, :, 2::5], middle)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_nothing_is_fetched_from_the_device(name, rng):
    assert built(name)(images().to("meta"), rng).device.type == "meta"


@pytest.mark.gpu
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_gpu_gives_what_the_cpu_gives(name):
    before = images(200, 3, 32, 32)
    on_cpu = built(name)(before, torch.Generator().manual_seed(0)).int()
    on_gpu = built(name)(before.cuda(), torch.Generator().manual_seed(0)).cpu().int()
    if name in {"flip", "padded_crop", "random_erasing"}:
        assert torch.equal(on_gpu, on_cpu)
    assert ((on_gpu - on_cpu).abs() <= 1).float().mean() > 0.999


@pytest.mark.gpu
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_host_does_not_wait_for_the_gpu(name, rng):
    before = images().cuda()
    built(name)(before, rng)
    torch.cuda.set_sync_debug_mode("error")
    try:
        built(name)(before, rng)
    finally:
        torch.cuda.set_sync_debug_mode("default")
