"""One batch on its way: how it is mixed, and its targets once it is."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from tuner.mixing import AnyGuide, Drawn, Mixture


@dataclass
class Step:
    """What was drawn for a batch (None: it stays unmixed). `mix` comes first, at `depth`, and then `targets`."""

    drawn: Drawn | None
    guide: AnyGuide | None
    labels: Tensor
    classes: int
    label_smoothing: float
    applied: Mixture | None = field(default=None, init=False)

    @property
    def depth(self) -> int:
        """Return where the batch is mixed."""
        return 0 if self.drawn is None else self.drawn.depth

    def mix(self, features: Tensor, rng: torch.Generator) -> Tensor:
        """Return the features mixed as drawn, and keep the mixture really applied."""
        if self.drawn is None:
            own = torch.arange(len(self.labels), device=features.device)[:, None]
            self.applied = Mixture(own, torch.ones(own.shape, device=features.device))
            return features
        mixed, self.applied = self.drawn.apply(features, rng, self.guide)
        return mixed

    def targets(self) -> Tensor:
        """Return each example's share of every class; a share `label_smoothing` of its sum goes evenly to all.

        Of a regression it is the mixed number.

        Raises:
            ValueError: nothing was mixed yet.
        """
        if self.applied is None:
            raise ValueError("the targets are known once the features are mixed; call mix first")
        shares = self.applied.targets(self.labels, self.classes)
        if not self.label_smoothing:
            return shares
        even = shares.sum(dim=1, keepdim=True) / self.classes
        return torch.lerp(shares, even.expand_as(shares), self.label_smoothing)
