"""A switch mixes each batch by one of several policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le, Len

from tuner.mixing.policy import Drawn, MethodPolicy, Policy

Weight = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class Switch:
    """Draws one of `policies` a batch, by `weights` that sum to 1; the policy drawn then decides for itself."""

    policies: tuple[Policy, ...]
    weights: tuple[float, ...]
    probability: float = 1.0
    off_epochs: int = 0

    def draw(self, batch: int, rng: torch.Generator, epochs_left: int | None = None) -> Drawn | None:
        """Draw a policy, and let it draw (see `Policy.draw`)."""
        if epochs_left is not None and epochs_left <= self.off_epochs:
            return None
        if float(torch.rand((), generator=rng)) >= self.probability:
            return None
        weights = torch.tensor(self.weights, dtype=torch.float64)
        chosen = int(torch.multinomial(weights, 1, generator=rng))
        return self.policies[chosen].draw(batch, rng, epochs_left)

    def methods(self) -> tuple[MethodPolicy, ...]:
        """Return the single methods of all policies."""
        return tuple(method for policy in self.policies for method in policy.methods())

    def expected_strength(self) -> float:
        """Return the mean over the policies, by weight, of their expected strengths."""
        strengths = (policy.expected_strength() for policy in self.policies)
        return self.probability * sum(map(float.__mul__, self.weights, strengths))


def switch(
    *,
    policies: Annotated[tuple[Policy, ...], Len(1)],
    weights: tuple[Weight, ...] = (),
    probability: Annotated[float, Ge(0), Le(1)] = 1.0,
    off_epochs: Annotated[int, Ge(0)] = 0,
) -> Switch:
    """One of several policies a batch, drawn by weight; equal weights unless given.

    timm's "mixup and CutMix with switch_prob 0.5" is a switch of two policies. Weights need not sum to 1.

    Raises:
        ValueError: no policy, or not one weight for each policy, or all weights 0.

    Source: timm's `Mixup` (switch_prob); Touvron et al., DeiT (arXiv 2012.12877), table 9.
    """
    if not policies:
        raise ValueError("policies is empty; give at least one mixing block")
    given = weights or (1.0,) * len(policies)
    if len(given) != len(policies):
        raise ValueError(f"wanted one weight for each of {len(policies)} policies, got {len(given)}")
    if sum(given) <= 0:
        raise ValueError("all weights are 0; give at least one policy a weight above 0")
    return Switch(policies, tuple(weight / sum(given) for weight in given), probability, off_epochs)
