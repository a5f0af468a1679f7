"""A trained network as a file keeps it: its weights, and all that is needed to build it again and to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from tuner.datasets import Feature, Split, encoded
from tuner.models import MODELS, ImageShape
from tuner.training import TargetScaling, Training, checkpoint
from tuner.training.batches import normalised
from tuner.trial.check import memory_format, outputs
from tuner.trial.config import resolve


class Network(nn.Module):
    """A trained network, ready to be used: images as bytes go in, or the `rows` of a table; logits come out.

    `network` is the model by itself, `config` the trial that trained it, `classes` the names of its logits in order. A
    regression has no classes; one prediction comes out for each example, in the target's unit. `features` are those of
    a table.
    """

    factor: Tensor
    offset: Tensor
    mean: Tensor | None
    deviation: Tensor | None

    def __init__(self, state: Mapping[str, Any]) -> None:
        super().__init__()
        self.config: dict[str, Any] = resolve(state["config"])
        self.classes: tuple[str, ...] = tuple(state["classes"])
        self.features = tuple(Feature(*one) for one in state.get("features", ()))
        self.epoch: int = state["epoch"]
        with torch.random.fork_rng(devices=[]):  # its first weights are drawn, and replaced at once
            model = MODELS.build(self.config["model"], ImageShape(*state["image"]), outputs(len(self.classes)))
        model.load_state_dict(state["model"])
        self.network: nn.Module = model
        factor, offset = state["scaling"]
        self.register_buffer("factor", factor)
        self.register_buffer("offset", offset)
        for name, value in zip(("mean", "deviation"), state.get("targets", (None, None)), strict=True):
            self.register_buffer(name, value)
        self.eval()

    def rows(self, columns: Mapping[str, Sequence[object]]) -> Float[Tensor, "batch features 1 1"]:
        """Return rows of a table, given column by column as they stand in the file, as the network takes them.

        Raises:
            ValueError: a column is missing, or has a cell that the network cannot take.
        """
        if lacking := sorted({feature.column for feature in self.features} - columns.keys()):
            raise ValueError(f"wanted the columns that the network was trained on; missing: {', '.join(lacking)}")
        cells = {name: ["" if cell is None else str(cell) for cell in column] for name, column in columns.items()}
        return torch.from_numpy(encoded(cells, self.features))

    def forward(self, images: Shaped[Tensor, "batch c h w"]) -> Float[Tensor, "batch outputs"]:
        """Return the logits of images or rows, normalised as in training, or a regression's predictions."""
        inputs = normalised(images, (self.factor, self.offset)).contiguous(memory_format=memory_format(self.config))
        logits: Tensor = self.network(inputs)
        if self.mean is None or self.deviation is None:
            return logits
        return TargetScaling(self.mean, self.deviation).in_unit(logits)


def network_state(training: Training, config: Mapping[str, Any], split: Split) -> dict[str, Any]:
    """Return what `load_network` needs, as tensors and plain values: no optimizer, nothing that training goes on from.

    `config` is the resolved configuration that `training` was built from, in the form in which it is stored (JSON's).
    """
    features = {"features": [list(feature) for feature in split.features]} if split.features else {}
    targets = {"targets": [training.targets.mean, training.targets.deviation]} if training.targets else {}
    return {
        **features,
        **targets,
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
