"""What every model is: a list of stages, so that mixing can happen before any of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn


class ImageShape(NamedTuple):
    """Channels, height and width of the images a model takes."""

    channels: int
    height: int
    width: int


def forward(model: nn.Sequential, images: Tensor, depth: int, mix: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the logits, with `mix` applied to the features before stage `depth` (0: to the images)."""
    features = images
    for position, stage in enumerate(model):
        features = stage(mix(features) if position == depth else features)
    return features


def require_size(name: str, image: ImageShape, smallest: int, advice: str) -> None:
    """Check that images are large enough for a model.

    Raises:
        ValueError: they are not; the message ends with `advice`.
    """
    if min(image.height, image.width) < smallest:
        raise ValueError(
            f"{name} needs images of {smallest} pixels or more, got {image.height}x{image.width}; {advice}"
        )
