"""Mix the same images by every method, and keep what a person wants to see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tuner import space, trial
from tuner.datasets import Split
from tuner.errors import ConfigError, Problem
from tuner.mixing import METHODS, AnyGuide, Mixture
from tuner.mixing.policy import MethodPolicy
from tuner.training import Training

_BATCH = 128
_DRAWS = 4
"""Batches that the histogram and the entropy are of; the images shown are the first one's."""

_LEARNING_EXAMPLES = 5000
"""What a network is trained on for one epoch, where a method asks it what matters in an image."""

_NAMED_CLASSES = 3


@dataclass(frozen=True)
class Row:
    """One method: mixed images in [0, 1], each one's target in words, and the laws of ratio and target.

    `shares` are the examples' own shares of their targets (or the largest, where images are put together anew), over
    several batches; `entropy` is the mean of the targets' entropies, in nats (0 for a plain label, 0.69 for two classes
    by halves).
    """

    name: str
    images: Float[np.ndarray, "shown height width channels"]
    targets: tuple[str, ...]
    shares: Float[np.ndarray, " draws"]
    entropy: float
    whose: Literal["own", "largest"] = "own"
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the row's numbers."""
        means = {f"mean_{self.whose}_share": float(self.shares.mean()), "mean_target_entropy": self.entropy}
        return {"name": self.name, **means, "note": self.note}


def configurations(template: space.Section) -> list[dict[str, Any]]:
    """Return one configuration for each method of a study, at the middle of its ranges."""
    mixing = template.entries.get("mixing")
    if not isinstance(mixing, space.Choice):
        return [space.at_middle(template)]
    branches = (space.Choice({name: branch}) for name, branch in mixing.branches.items())
    return [space.at_middle(space.Section({**template.entries, "mixing": branch})) for branch in branches]


def rows(configs: Sequence[Mapping[str, Any]], split: Split, *, shown: int = 8, seed: int = 0) -> list[Row]:
    """Return the rows of resolved configurations that differ in their mixing: first the images as they are.

    Every method gets the same images and, where it draws as many sources, the same partners. A method that mixes hidden
    maps is shown on the images themselves.

    Raises:
        ConfigError: a model or method cannot take these images.
    """
    unmixed, mixed = grouped(configs, split, shown=shown, seed=seed)
    return [unmixed, *(row for group in mixed for row in group)]


def grouped(
    configs: Sequence[Mapping[str, Any]], split: Split, *, shown: int = 8, seed: int = 0
) -> tuple[Row, list[list[Row]]]:
    """Return the row of the images as they are, and for each configuration its methods' rows (see `rows`)."""
    if split.features:
        raise ConfigError([Problem(("dataset",), f"{split.name} is a table: there are no images to show")])
    if not split.classes:
        raise ConfigError([Problem(("dataset",), f"the labels of {split.name} are numbers: a sheet shows classes")])
    for config in configs:
        trial.check_split(config, split)
    methods = [_methods(config) for config in configs]
    training = trial.build({**configs[0], "mixing": {"name": "none"}}, _some(split), seed)
    if any(method.saliency for group in methods for method in group):
        training.run_epoch(trial.validation_split(split))
    batch = _Batch(training, split, shown, seed)
    named = zip((config["mixing"]["name"] for config in configs), methods, strict=True)
    mixed = [[batch.row(method, _title(name, method)) for method in group] for name, group in named]
    return batch.row(METHODS.build({"name": "none"}), "unmixed"), mixed


@dataclass(frozen=True)
class _Batch:
    """The images that every method gets."""

    training: Training
    split: Split
    shown: int
    seed: int

    def row(self, method: MethodPolicy, name: str) -> Row:
        """Mix the batch a few times."""
        images, labels = next(iter(self.training.training.batches(_BATCH)))
        inputs = self.training.normalised(images)
        rng = torch.Generator().manual_seed(self.seed)
        guide = self.training.guide(method, inputs, labels)
        drawn = [self._mixed(method, inputs, rng, guide) for _ in range(_DRAWS)]
        mixtures = [mixture for _, mixture in drawn]
        targets = torch.cat([mixture.targets(labels, len(self.split.classes)) for mixture in mixtures])
        is_anew = not torch.equal(mixtures[0].sources[:, 0], torch.arange(len(inputs)))
        shares = [mixture.ratios.amax(dim=1) if is_anew else mixture.ratios[:, 0] for mixture in mixtures]
        return Row(
            name,
            self._shown(drawn[0][0]),
            tuple(_in_words(target, self.split.classes) for target in targets[: self.shown]),
            torch.cat(shares).numpy(),
            _mean_entropy(targets),
            "largest" if is_anew else "own",
            "mixes hidden maps; shown on the image" if max(method.depths) > 0 else "",
        )

    def _mixed(
        self, method: MethodPolicy, inputs: Tensor, rng: torch.Generator, guide: AnyGuide | None
    ) -> tuple[Tensor, Mixture]:
        drawn = replace(method, probability=1.0, off_epochs=0).draw(len(inputs), rng)
        if drawn is None or method.name == "none":
            own = torch.arange(len(inputs))[:, None]
            return inputs, Mixture(own, torch.ones(len(inputs), 1))
        return drawn.apply(inputs, rng, guide)

    def _shown(self, inputs: Tensor) -> np.ndarray:
        factor, offset = self.training.scaling
        bytes_ = (inputs[: self.shown] - offset) / factor
        shown: np.ndarray = (bytes_ / 255).clamp(0, 1).permute(0, 2, 3, 1).numpy()
        return shown


def _methods(config: Mapping[str, Any]) -> list[MethodPolicy]:
    return [method for method in METHODS.build(config["mixing"]).methods() if method.name != "none"]


def _title(name: str, method: MethodPolicy) -> str:
    return name if name == method.name else f"{name}: {method.name}"


def _some(split: Split) -> Split:
    return replace(split, training=split.training.take(np.arange(min(len(split.training), _LEARNING_EXAMPLES))))


def _mean_entropy(targets: Tensor) -> float:
    """Return the mean entropy of the targets, each divided by its sum, which SnapMix's need not have at 1."""
    mass = targets.sum(dim=1, keepdim=True)
    return float(torch.special.entr(targets / mass.clamp(min=torch.finfo(mass.dtype).tiny)).sum(dim=1).mean())


def _in_words(target: Tensor, classes: Sequence[str]) -> str:
    """Return the largest shares in per cent, each with its class."""
    shares, indices = target.topk(min(_NAMED_CLASSES, len(classes)))
    named = zip(shares.tolist(), indices.tolist(), strict=True)
    return "\n".join(f"{100 * share:.0f} {classes[index]}" for share, index in named if share >= 0.005)
