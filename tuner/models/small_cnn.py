"""small_cnn: the Keras mixup example's network of two convolutions, for small images and short runs."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Len, Lt
from torch import nn

from tuner.models.base import ImageShape, require_size


def small_cnn(
    image: ImageShape,
    classes: int,
    *,
    channels: Annotated[tuple[Annotated[int, Ge(1)], ...], Len(1)] = (16, 32),
    kernel: Annotated[int, Ge(1)] = 5,
    padding: Literal["valid", "same"] = "valid",
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.2,
    hidden: Annotated[int, Ge(1)] = 128,
) -> nn.Sequential:
    """Convolutions 5x5 of 16 and 32 channels, each halved by pooling, global average, 128 hidden units.

    Stages: one a convolution, the average with the hidden layer, the classifier. Pooling stands before relu, which is
    the same function at a quarter of the work. Weights are Glorot uniform and biases 0, as Keras does.

    Raises:
        ValueError: the images are too small for `padding: valid`.

    Source: Keras example "MixUp augmentation for image classification" (article K).
    """
    smallest = 2 ** len(channels) if padding == "same" else _smallest(len(channels), kernel)
    require_size("small_cnn", image, smallest, "set padding: same" if padding == "valid" else "use larger images")
    stages: list[nn.Module] = []
    for before, after in zip((image.channels, *channels), channels, strict=False):
        convolution = _convolution(before, after, kernel, padding)
        stages.append(nn.Sequential(*convolution, nn.MaxPool2d(2), nn.ReLU(inplace=True)))
    stages[-1] = nn.Sequential(*stages[-1].children(), nn.Dropout(dropout))
    average = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    stages.append(nn.Sequential(*average, nn.Linear(channels[-1], hidden), nn.ReLU(inplace=True)))
    stages.append(nn.Linear(hidden, classes))
    model = nn.Sequential(*stages)
    model.apply(_initialise)
    return model


def _convolution(before: int, after: int, kernel: int, padding: str) -> list[nn.Module]:
    if padding == "same" and kernel % 2 == 0:
        # The odd pixel goes to the right and below, as torch's own `same` has it, which warns of even kernels.
        return [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(before, after, kernel, padding=kernel // 2 - 1)]
    return [nn.Conv2d(before, after, kernel, padding=padding)]


def _smallest(convolutions: int, kernel: int) -> int:
    """Return the smallest image whose last pooled map still has a pixel."""
    size = 1
    for _ in range(convolutions):
        size = 2 * size + kernel - 1
    return size


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
