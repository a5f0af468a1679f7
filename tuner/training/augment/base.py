"""What all augmentations share: their types, draws on the host for each example, and the way to the device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

Images = UInt8[Tensor, "batch c h w"]
Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def uniform(batch: int, low: float, high: float, rng: torch.Generator) -> Float[Tensor, " batch"]:
    """Return one number between `low` and `high` for each example, on the CPU."""
    return low + (high - low) * torch.rand(batch, generator=rng)


def on_device(values: Tensor, device: torch.device) -> Tensor:
    """Return what was drawn on the CPU on `device`; the host does not wait, as page-locked memory goes by itself."""
    return (values.pin_memory() if device.type == "cuda" else values).to(device, non_blocking=True)


def for_each(values: Shaped[Tensor, " batch"], device: torch.device) -> Shaped[Tensor, "batch 1 1 1"]:
    """Return one number for each example on `device`, shaped to meet its image."""
    return on_device(values, device)[:, None, None, None]


def for_some(changed: Images, images: Images, probability: float, rng: torch.Generator) -> Images:
    """Return the changed images for a share of the examples and the images themselves for the others."""
    chosen = torch.rand(len(images), generator=rng) < probability
    return torch.where(for_each(chosen, images.device), changed, images)


def check_range(low: float, high: float, name: str) -> None:
    """Refuse a range that ends before it begins.

    Raises:
        ValueError: it does.
    """
    if low > high:
        raise ValueError(f"wanted {name}_low <= {name}_high, got {low:g} and {high:g}; swap them")
