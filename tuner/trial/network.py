"""A trained network as a file keeps it: its weights, and all that is needed to build it again and to use it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tuner.datasets import Split
from tuner.models import MODELS, ImageShape
from tuner.training import Training, checkpoint
from tuner.training.batches import normalised
from tuner.trial.check import memory_format
from tuner.trial.config import resolve


class Network(nn.Module):
    """A trained network, ready to be used: images as bytes go in, logits come out.

    `network` is the model by itself, `config` the trial that trained it, `classes` the names of its logits in order.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, state: Mapping[str, Any]) -> None:
        super().__init__()
        self.config: dict[str, Any] = resolve(state["config"])
        self.classes: tuple[str, ...] = tuple(state["classes"])
        self.epoch: int = state["epoch"]
        with torch.random.fork_rng(devices=[]):  # its first weights are drawn, and replaced at once
            model = MODELS.build(self.config["model"], ImageShape(*state["image"]), len(self.classes))
        model.load_state_dict(state["model"])
        self.network: nn.Module = model
        factor, offset = state["scaling"]
        self.register_buffer("factor", factor)
        self.register_buffer("offset", offset)
        self.eval()

    def forward(self, images: UInt8[Tensor, "batch c h w"]) -> Float[Tensor, "batch classes"]:
        """Return the logits of images, normalised as in training."""
        inputs = normalised(images, (self.factor, self.offset)).contiguous(memory_format=memory_format(self.config))
        logits: Tensor = self.network(inputs)
        return logits


def network_state(training: Training, config: Mapping[str, Any], split: Split) -> dict[str, Any]:
    """Return what `load_network` needs, as tensors and plain values: no optimizer, nothing that training goes on from.

    `config` is the resolved configuration that `training` was built from, in the form in which it is stored (JSON's).
    """
    return {
        "config": dict(config),
        "epoch": training.epochs_done,
        "classes": [str(name) for name in split.classes],
        "image": list(split.training.images.shape[1:]),
        "scaling": list(training.scaling),
        "model": training.model.state_dict(),
    }


def load_network(path: Path) -> Network:
    """Read a trained network that a study kept, onto the CPU.

    Raises:
        ValueError: the file is damaged or holds more than tensors and plain values.
        ConfigError: its model is not known here, such as one's own that cannot be imported.
    """
    return Network(checkpoint.load(path))
