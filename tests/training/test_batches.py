"""A split on its device: its own memory, batches by index, and the scaling of its bytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tuner.training import DeviceSplit, standard_scaling, unit_scaling
from tuner.training.batches import normalised

CPU = torch.device("cpu")


def images(count: int, channels: int = 3) -> np.ndarray:
    shape = (count, channels, 4, 5)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8) // np.arange(1, channels + 1)[
        :, None, None
    ].astype(np.uint8)


def split(count: int) -> DeviceSplit:
    return DeviceSplit(images(count), np.arange(count), CPU)


@pytest.mark.parametrize(
    ("count", "size", "lengths"),
    [
        (10, 4, [4, 4, 2]),
        (9, 4, [4, 4]),
        (8, 4, [4, 4]),
        (1, 4, [1]),
        (3, 4, [3]),
        (3, 1, [1, 1, 1]),
        (2, 2, [2]),
    ],
)
def test_only_a_last_batch_of_one_after_larger_ones_is_dropped(count, size, lengths):
    batches = list(split(count).batches(size, torch.arange(count)))
    assert [len(labels) for _, labels in batches] == lengths


@pytest.mark.parametrize(("count", "size"), [(10, 4), (9, 4), (1, 4), (3, 1)])
def test_without_an_order_every_example_comes_as_it_lies(count, size):
    whole = split(count)
    pixels, labels = zip(*whole.batches(size), strict=True)
    assert torch.equal(torch.cat(labels), torch.arange(count))
    assert torch.equal(torch.cat(pixels), whole.images)


def test_order_is_followed_with_every_image_at_its_label(rng):
    whole, order = split(10), torch.randperm(10, generator=rng)
    pixels, labels = zip(*whole.batches(4, order), strict=True)
    assert torch.equal(torch.cat(labels), order)
    assert torch.equal(torch.cat(pixels), whole.images[order])


def test_read_only_arrays_are_used_without_a_copy(tmp_path):
    array, labels = images(6), np.arange(6)
    array.setflags(write=False)
    labels.setflags(write=False)
    whole = DeviceSplit(array, labels, CPU)
    assert whole.images.data_ptr() == array.ctypes.data
    assert whole.labels.data_ptr() == labels.ctypes.data
    np.save(tmp_path / "images.npy", array)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert DeviceSplit(mapped, labels, CPU).images.data_ptr() == mapped.ctypes.data
    standard_scaling(mapped, CPU)


@pytest.mark.parametrize("count", [1, 6, 256, 700])
def test_standard_scaling_gives_each_channel_mean_0_and_deviation_1(count):
    array = images(count)
    inputs = normalised(torch.from_numpy(array), standard_scaling(array, CPU))
    torch.testing.assert_close(inputs.mean(dim=(0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(inputs.std(dim=(0, 2, 3), correction=0), torch.ones(3), rtol=0, atol=1e-5)


def test_channel_without_content_stays_finite_and_becomes_0():
    array = images(5)
    array[:, 1] = 77
    inputs = normalised(torch.from_numpy(array), standard_scaling(array, CPU))
    assert torch.isfinite(inputs).all()
    torch.testing.assert_close(inputs[:, 1], torch.zeros(5, 4, 5), rtol=0, atol=1e-5)


def test_unit_scaling_brings_bytes_to_0_to_1():
    array = np.array([0, 51, 255], dtype=np.uint8).reshape(1, 1, 1, 3)
    inputs = normalised(torch.from_numpy(array), unit_scaling(1, CPU))
    torch.testing.assert_close(inputs.flatten(), torch.tensor([0.0, 0.2, 1.0]))


@pytest.mark.parametrize("channels", [1, 3])
def test_inputs_are_floats_with_channels_last(channels):
    array = images(4, channels)
    inputs = normalised(torch.from_numpy(array), unit_scaling(channels, CPU))
    assert inputs.dtype == torch.float32
    assert inputs.is_contiguous(memory_format=torch.channels_last)
