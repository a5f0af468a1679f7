"""The libraries that mix, as functions of one batch: images and whole-number labels in, images and targets out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mixup as pypi
import torch
from timm.data.mixup import Mixup
from torch import Tensor
from torch.nn.functional import one_hot
from torchvision.transforms import v2


@dataclass(frozen=True)
class Batch:
    """Images (float32) and labels (int64) of one batch."""

    images: Tensor
    labels: Tensor
    classes: int

    @classmethod
    def random(cls, shape: tuple[int, ...], classes: int) -> Batch:
        """Return noise with random labels."""
        rng = torch.Generator().manual_seed(0)
        return cls(torch.randn(shape, generator=rng), torch.randint(classes, shape[:1], generator=rng), classes)


def rivals(batch: Batch) -> dict[str, Callable[[], object]]:
    """Return every library's method by "library method per batch|example"."""
    return {**_torchvision(batch), **_timm(batch), **_pypi(batch)}


def _torchvision(batch: Batch) -> dict[str, Callable[[], object]]:
    transforms = {"mixup": v2.MixUp(num_classes=batch.classes), "cutmix": v2.CutMix(num_classes=batch.classes)}
    return {
        f"torchvision {name} per batch": lambda transform=transform: transform(batch.images, batch.labels)
        for name, transform in transforms.items()
    }


def _timm(batch: Batch) -> dict[str, Callable[[], object]]:
    found: dict[str, Callable[[], object]] = {}
    alphas = {"mixup": {"mixup_alpha": 1.0, "cutmix_alpha": 0.0}, "cutmix": {"mixup_alpha": 0.0, "cutmix_alpha": 1.0}}
    for name, alpha in alphas.items():
        for mode, per in (("batch", "per batch"), ("elem", "per example")):
            mix = Mixup(**alpha, mode=mode, label_smoothing=0.0, num_classes=batch.classes)
            own = batch.images.clone()  # it writes to what it is given
            found[f"timm {name} {per}"] = lambda mix=mix: mix(batch.images.clone(), batch.labels)
            found[f"in-place {name} {per}, timm"] = lambda mix=mix, own=own: mix(own, batch.labels)
    return found


def _pypi(batch: Batch) -> dict[str, Callable[[], object]]:
    methods = {"mixup": pypi.VanillaMixUp, "cutmix": pypi.CutMix, "fmix": pypi.FMix, "resizemix": pypi.ResizeMix}
    mixes = {name: method(1.0, 1.0) for name, method in methods.items()}
    return {
        f"PyPI {name} per batch": lambda mix=mix: mix(batch.images, one_hot(batch.labels, batch.classes).float())
        for name, mix in mixes.items()
    }
