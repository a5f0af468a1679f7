"""What a model is made for, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class ImageShape(NamedTuple):
    """Channels, height and width of the images a model takes."""

    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model before it is built: what its stages are, in words, and whether it takes tables."""

    stages: str
    takes_tables: bool = False


def require_size(name: str, image: ImageShape, smallest: int, advice: str) -> None:
    """Check that images are large enough for a model.

    Raises:
        ValueError: they are not; the message ends with `advice`.
    """
    if min(image.height, image.width) < smallest:
        raise ValueError(
            f"{name} needs images of {smallest} pixels or more, got {image.height}x{image.width}; {advice}"
        )
