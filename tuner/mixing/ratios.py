"""Distributions of the mixing ratios: how much of each source an output holds.

Every distribution is one function in `RATIOS` that returns a `RatioDistribution`. Common to all: `per` draws one
row for the whole batch (as most papers' codes do) or one for each example, and `scale` multiplies all ratios, for
sums below 1 (article A, figure 5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erf, sqrt
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le, Len
from jaxtyping import Float
from torch import Tensor

from tuner.catalog import Table, entry

Per = Literal["batch", "example"]
Scale = Annotated[float, Gt(0), Le(1)]
Alpha = Annotated[float, Ge(0), Le(1e6)]
Share = Annotated[float, Ge(0), Le(1)]
Sample = Callable[[int, torch.Generator], Tensor]

_STRENGTH_DRAWS = 20_000


@dataclass(frozen=True)
class RatioDistribution:
    """Draws rows of `count` ratios; `sample(rows, rng)` gives float64 rows that sum to 1."""

    count: int
    sample: Sample
    per: Per = "example"
    scale: float = 1.0

    def draw(self, batch: int, rng: torch.Generator) -> Float[Tensor, "batch count"]:
        """Return float32 ratios on the generator's device; rows are equal under `per: batch`."""
        rows = self.sample(1 if self.per == "batch" else batch, rng)
        return (rows * self.scale).to(torch.float32).expand(batch, -1)

    def expected_strength(self, part: float = 1.0) -> float:
        """Return E[1 - largest share], between 0 (no mixing) and 1 - 1/N: a scale that all methods share.

        `part` is the part of each example that is mixed at all. It is a mean over a fixed set of draws: the same for
        the same distribution on every machine.
        """
        rows = self.sample(_STRENGTH_DRAWS, torch.Generator().manual_seed(0)) * part
        rows[:, 0] += 1 - part
        return float(1 - rows.amax(dim=1).mean())


def beta(*, alpha: Alpha = 1.0, per: Per = "example", scale: Scale = 1.0) -> RatioDistribution:
    """Beta(alpha, alpha) for two sources; alpha 0 means no mixing, 1 is uniform, large is near one half.

    Source: Zhang et al., mixup (arXiv 1710.09412), section 2.
    """
    return dirichlet(count=2, alpha=alpha, per=per, scale=scale)


def dirichlet(
    *, count: Annotated[int, Ge(1), Le(64)] = 3, alpha: Alpha = 1.0, per: Per = "example", scale: Scale = 1.0
) -> RatioDistribution:
    """Symmetric Dirichlet(alpha) over `count` sources: Beta for N sources.

    Drawn from gamma variables, below alpha 1 from their logarithms, so that alpha from 1e-6 to 1e6 gives no NaN;
    alpha 0 is its limit in which the example itself keeps all (no mixing).

    Source: article A, figure 4; log-gamma by Gamma(a) = Gamma(a + 1) U^(1/a) (Marsaglia and Tsang 2000, section 6).
    """

    def sample(rows: int, rng: torch.Generator) -> Tensor:
        if alpha == 0:
            return _own(rows, count, rng)
        shape = torch.full((rows, count), alpha if alpha >= 1 else alpha + 1, dtype=torch.float64, device=rng.device)
        drawn = torch._standard_gamma(shape, generator=rng)
        if alpha >= 1:
            return drawn / drawn.sum(dim=1, keepdim=True)
        uniform = torch.rand(shape.shape, dtype=torch.float64, generator=rng, device=rng.device)
        return torch.softmax(drawn.log() + uniform.log() / max(alpha, 1e-9), dim=1)

    return RatioDistribution(count, sample, per, scale)


def uniform(*, per: Per = "example", scale: Scale = 1.0) -> RatioDistribution:
    """Uniform on [0, 1] for two sources: the same law as beta with alpha 1, under article A's name.

    Source: article A, figure 2.
    """
    return RatioDistribution(2, lambda rows, rng: _pair(_rand(rows, rng)), per, scale)


def truncated_normal(
    *, sigma: Annotated[float, Gt(0), Le(1e6)] = 0.25, mean: Share = 0.5, per: Per = "example", scale: Scale = 1.0
) -> RatioDistribution:
    """Normal(mean, sigma) given that it lies in [0, 1], drawn by inverting its distribution function.

    Source: article A, figure 2, whose own code clips instead (`clipped_normal`).
    """

    def sample(rows: int, rng: torch.Generator) -> Tensor:
        low, high = _normal_cdf(-mean / sigma), _normal_cdf((1 - mean) / sigma)
        quantile = torch.special.ndtri(low + (high - low) * _rand(rows, rng))
        return _pair((mean + sigma * quantile).clamp(0, 1))

    return RatioDistribution(2, sample, per, scale)


def clipped_normal(
    *, sigma: Annotated[float, Gt(0), Le(1e6)] = 0.25, mean: Share = 0.5, per: Per = "example", scale: Scale = 1.0
) -> RatioDistribution:
    """Normal(mean, sigma) clipped to [0, 1]: what article A calls truncated; some examples stay unmixed.

    Source: article A, figure 2.
    """

    def sample(rows: int, rng: torch.Generator) -> Tensor:
        normal = torch.randn(rows, dtype=torch.float64, generator=rng, device=rng.device)
        return _pair((mean + sigma * normal).clamp(0, 1))

    return RatioDistribution(2, sample, per, scale)


def fixed(
    *, shares: Annotated[tuple[Share, ...], Len(1, 64)] = (0.5, 0.5), per: Per = "example", scale: Scale = 1.0
) -> RatioDistribution:
    """The same shares for every output, the first one the example's own.

    Raises:
        ValueError: the shares do not sum to 1 (say `scale` for sums below 1).

    Source: SamplePairing (arXiv 1801.02929) is (0.5, 0.5) with its partner's label left out.
    """
    if abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"shares must sum to 1, got {sum(shares):g}; for smaller sums set scale")

    def sample(rows: int, rng: torch.Generator) -> Tensor:
        return torch.tensor(shares, dtype=torch.float64, device=rng.device).expand(rows, -1)

    return RatioDistribution(len(shares), sample, per, scale)


def zeta(
    *,
    count: Annotated[int, Ge(2), Le(64)] = 4,
    gamma: Annotated[float, Gt(0), Le(100)] = 2.4,
    per: Per = "example",
    scale: Scale = 1.0,
) -> RatioDistribution:
    """Fixed weights 1 / i^gamma over `count` sources, the example's own the largest.

    From gamma 1.7287 on the example keeps more than all others together, whatever the count.

    Source: Abhishek et al., Multi-Sample zeta-mixup (arXiv 2204.03323), equation 3.
    """
    weights = torch.arange(1, count + 1, dtype=torch.float64) ** -gamma
    weights /= weights.sum()
    return RatioDistribution(count, lambda rows, rng: weights.to(rng.device).expand(rows, -1), per, scale)


def uniform_scale(
    *, smallest: Share = 0.1, largest: Share = 0.8, per: Per = "example", scale: Scale = 1.0
) -> RatioDistribution:
    """The other source's share is the square of a uniform side, from `smallest` to `largest`.

    Raises:
        ValueError: the smallest side is larger than the largest.

    Source: Qin et al., ResizeMix (arXiv 2012.11101), section 3.2.
    """
    if smallest > largest:
        raise ValueError(f"smallest must not be above largest, got {smallest:g} and {largest:g}")

    def sample(rows: int, rng: torch.Generator) -> Tensor:
        return _pair(1 - (smallest + (largest - smallest) * _rand(rows, rng)) ** 2)

    return RatioDistribution(2, sample, per, scale)


RATIOS = Table(
    "ratio distribution",
    {
        "beta": entry(beta),
        "uniform": entry(uniform),
        "truncated_normal": entry(truncated_normal),
        "clipped_normal": entry(clipped_normal),
        "dirichlet": entry(dirichlet),
        "fixed": entry(fixed),
        "zeta": entry(zeta),
        "uniform_scale": entry(uniform_scale),
    },
)


def _rand(rows: int, rng: torch.Generator) -> Tensor:
    return torch.rand(rows, dtype=torch.float64, generator=rng, device=rng.device)


def _pair(own: Tensor) -> Tensor:
    return torch.stack([own, 1 - own], dim=1)


def _own(rows: int, count: int, rng: torch.Generator) -> Tensor:
    shares = torch.zeros(rows, count, dtype=torch.float64, device=rng.device)
    shares[:, 0] = 1
    return shares


def _normal_cdf(value: float) -> float:
    return 0.5 * (1 + erf(value / sqrt(2)))
