"""Policies and batches that the tests of this folder share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tuner.policies import LoadedPolicy, load_policy

CLASSES = 5
BETA = {"name": "beta", "alpha": 0.7}
PER_BATCH = {**BETA, "per": "batch"}


def loaded(mixing: str | dict[str, Any], **more: Any) -> LoadedPolicy:
    """Load a mixing block; keys of a policy file beside it are given as they stand there."""
    settings = {key: more.pop(key) for key in ("epochs", "seed", "std") if key in more}
    return load_policy({"classes": CLASSES, **more, "mixing": mixing}, **settings)


def batch(count: int = 8, side: int = 8) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(5)
    return torch.randn(count, 3, side, side, generator=rng), torch.arange(count) % CLASSES


def sequence() -> nn.Sequential:
    """Return a network of two stages and a head."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()),
            nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.ReLU()),
            nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, CLASSES)),
        )
