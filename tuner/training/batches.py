"""A whole split on the device, images as bytes: batches are taken by index, normalised as they are taken."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

Scaling = tuple[Tensor, Tensor]
"""The factor and the offset of each channel, of shape [c, 1, 1], that make bytes or features into network inputs."""


_HISTOGRAM_IMAGES = 256
"""Counted at a time: a fraction of the memory and time of counting the whole split at once."""


class DeviceSplit:
    """Images (uint8 [n, c, h, w], or floats [n, features, 1, 1]) and labels ([n]) of one split on `device`.

    On the CPU the arrays are used as they are given, so that processes share one copy of them.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, device: torch.device) -> None:
        self.images = _on_device(images, device)
        self.labels = _on_device(labels, device)
        self.device = device

    def __len__(self) -> int:
        return len(self.labels)

    def batches(
        self, size: int, order: Int[Tensor, " n"] | None = None
    ) -> Iterator[tuple[Shaped[Tensor, "batch c h w"], Shaped[Tensor, " batch"]]]:
        """Yield images and labels in `order` (on the CPU), or as they lie; the last batch may be smaller.

        In an `order`, a last batch of a single example is left out when those before it hold more: batch norm cannot
        use it.
        """
        if order is None:
            for start in range(0, len(self), size):
                yield self.images[start : start + size], self.labels[start : start + size]
            return
        order = order.to(self.device, non_blocking=True)
        smallest = min(2, size, len(order))
        for rows in torch.split(order, size):
            if len(rows) >= smallest:
                yield self.images.index_select(0, rows), self.labels.index_select(0, rows)


def standard_scaling(images: np.ndarray, device: torch.device) -> Scaling:
    """Return the scaling that gives each channel mean 0 and deviation 1 over these images [n, c, h, w].

    A deviation below one byte counts as one, so that a channel without content does not blow up. So does that of a
    table's feature which is the same in every row.
    """
    if images.dtype != np.uint8:
        mean, deviation = images.mean((0, 2, 3), np.float64), images.std((0, 2, 3), np.float64)
        deviation[np.ptp(images, (0, 2, 3)) == 0] = 1.0
        return _scaling(1 / deviation, -mean / deviation, device)
    counts = _histogram(torch.utils.dlpack.from_dlpack(images)).numpy()
    values = np.arange(256)
    mean = counts @ values / counts.sum(1)
    deviation = np.sqrt(np.maximum(counts @ values**2 / counts.sum(1) - mean**2, 1.0))
    return _scaling(1 / deviation, -mean / deviation, device)


def unit_scaling(channels: int, device: torch.device) -> Scaling:
    """Return the scaling that brings bytes to [0, 1] and does no more."""
    return _scaling(np.full(channels, 1 / 255), np.zeros(channels), device)


def normalised(images: Shaped[Tensor, "batch c h w"], scaling: Scaling) -> Float[Tensor, "batch c h w"]:
    """Return images as float32 network inputs, channels last."""
    factor, offset = scaling
    floats = images.to(torch.float32, memory_format=torch.channels_last)
    return torch.addcmul(offset, floats, factor)


def _histogram(images: UInt8[Tensor, "n c h w"]) -> Int[Tensor, "c 256"]:
    counts = torch.zeros(images.shape[1], 256, dtype=torch.int64)
    for part in torch.split(images, _HISTOGRAM_IMAGES):
        counts += torch.stack([torch.bincount(channel.reshape(-1), minlength=256) for channel in part.unbind(1)])
    return counts


def _on_device(array: np.ndarray, device: torch.device) -> Tensor:
    """Return the array on the device; on the CPU without a copy, even of memory that must not be written."""
    return torch.utils.dlpack.from_dlpack(array).to(device)


def _scaling(factor: np.ndarray, offset: np.ndarray, device: torch.device) -> Scaling:
    factor_, offset_ = (
        torch.tensor(values, dtype=torch.float32, device=device)[:, None, None] for values in (factor, offset)
    )
    return factor_, offset_
