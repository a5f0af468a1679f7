"""Pre-activation residual blocks, and the networks for small images made of them."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn

from tuner.models.base import ImageShape, require_size


class PreActivationBlock(nn.Module):
    """Two 3x3 convolutions, each behind batch norm and relu, added to their input.

    Where the shape changes, the shortcut is a 1x1 convolution of the activated input.

    Source: He et al., Identity Mappings in Deep Residual Networks (arXiv 1603.05027), figure 4e.
    """

    def __init__(self, before: int, after: int, stride: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        changes = stride != 1 or before != after
        self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False) if changes else None

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's output, of `after` channels, its sides divided by the stride."""
        active = torch.relu(self.norm1(features))
        residual: Tensor = self.conv1(active)
        residual = self.conv2(self.dropout(torch.relu(self.norm2(residual))))
        shortcut: Tensor = features if self.shortcut is None else self.shortcut(active)
        return residual + shortcut


def preact_resnet18(image: ImageShape, classes: int, *, width: Annotated[int, Ge(1)] = 64) -> nn.Sequential:
    """PreActResNet18 for small images: a 3x3 stem, four groups of two blocks, the article's network.

    Stages: stem with the first group, the other three groups, the head; depths 1 and 2 are manifold mixup's.

    Source: He et al. 2016, arXiv 1603.05027; the small-image form of Zhang et al. 2018 (mixup).
    """
    require_size("preact_resnet18", image, 8, "use small_cnn with padding: same")
    widths = [width, 2 * width, 4 * width, 8 * width]
    groups = [
        _group(before, after, 2, stride)
        for before, after, stride in zip([width, *widths[:3]], widths, [1, 2, 2, 2], strict=True)
    ]
    return _network(image, width, groups, widths[-1], classes)


def wide_resnet(
    image: ImageShape,
    classes: int,
    *,
    depth: Annotated[int, Ge(10)] = 28,
    width: Annotated[int, Ge(1)] = 10,
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
) -> nn.Sequential:
    """WideResNet-depth-width: three groups of (depth - 4) / 6 pre-activation blocks.

    Stages: stem with the first group, the other two groups, the head.

    Raises:
        ValueError: depth is not 4 more than a multiple of 6.

    Source: Zagoruyko and Komodakis, Wide Residual Networks (arXiv 1605.07146), table 1.
    """
    if (depth - 4) % 6:
        raise ValueError(f"depth must be 4 more than a multiple of 6 (10, 16, 22, 28 ...), got {depth}")
    require_size("wide_resnet", image, 8, "use small_cnn with padding: same")
    blocks = (depth - 4) // 6
    widths = [16 * width, 32 * width, 64 * width]
    groups = [
        _group(before, after, blocks, stride, dropout)
        for before, after, stride in zip([16, *widths[:2]], widths, [1, 2, 2], strict=True)
    ]
    return _network(image, 16, groups, widths[-1], classes)


def _group(before: int, after: int, blocks: int, stride: int, dropout: float = 0.0) -> nn.Sequential:
    first = PreActivationBlock(before, after, stride, dropout)
    return nn.Sequential(first, *(PreActivationBlock(after, after, 1, dropout) for _ in range(blocks - 1)))


def _network(image: ImageShape, stem: int, groups: list[nn.Sequential], width: int, classes: int) -> nn.Sequential:
    first = nn.Sequential(nn.Conv2d(image.channels, stem, 3, padding=1, bias=False), groups[0])
    average = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    head = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(inplace=True), *average, nn.Linear(width, classes))
    model = nn.Sequential(first, *groups[1:], head)
    model.apply(_initialise)
    return model


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
