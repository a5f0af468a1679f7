"""mlp: fully connected layers, for tables and very small images."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Lt
from torch import nn

from tuner.models.base import ImageShape


def mlp(
    image: ImageShape,
    classes: int,
    *,
    hidden: tuple[Annotated[int, Ge(1)], ...] = (256, 256),
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
) -> nn.Sequential:
    """Fully connected layers with relu over the flattened input; a stage is a layer."""
    stages: list[nn.Module] = []
    before = image.channels * image.height * image.width
    for after in hidden:
        stages.append(nn.Sequential(nn.Flatten(), nn.Linear(before, after), nn.ReLU(inplace=True), nn.Dropout(dropout)))
        before = after
    stages.append(nn.Sequential(nn.Flatten(), nn.Linear(before, classes)))
    return nn.Sequential(*stages)
