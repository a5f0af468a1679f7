"""The mixing methods: one file each, one line each in `METHODS`.

To add one: write a function of (features, mixture, rng) with its options as keyword-only parameters, and a line here.
The contract suite (tests/mixing/test_contract.py) proves the rest.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import torch
from annotated_types import Ge, Le, Len
from torch import Tensor

from tuner.catalog import Entry, Nested, Table, entry
from tuner.mixing.base import MethodFacts, Mixture
from tuner.mixing.cutmix import cutmix
from tuner.mixing.mixup import mixup
from tuner.mixing.policy import Policy
from tuner.mixing.ratios import RATIOS, RatioDistribution, fixed

__all__ = ["METHODS", "RATIOS", "MethodFacts", "Mixture", "Policy", "RatioDistribution"]

Probability = Annotated[float, Ge(0), Le(1)]
Depths = Annotated[tuple[Annotated[int, Ge(0)], ...], Len(1)]


def _method(name: str, function: Callable[..., Any], facts: MethodFacts, source: str, ratio: dict[str, Any]) -> Entry:
    """Make a method's entry: what every policy has (ratio, probability, depths) and the method's own options."""

    def policy(
        *, ratio: RatioDistribution, probability: Probability = 1.0, depths: Depths = (0,), **options: Any
    ) -> Policy:
        return Policy(name, functools.partial(function, **options), facts, ratio, probability, depths)

    common = entry(policy, nested={"ratio": Nested(RATIOS, ratio)}).parameters
    own = entry(function)
    return replace(own, function=policy, parameters=common + own.parameters, source=source, facts=facts)


def _unmixed(features: Tensor, mixture: Mixture, rng: torch.Generator) -> tuple[Tensor, Mixture]:
    return features, mixture


def no_mixing() -> Policy:
    """No mixing: the plain recipe that every policy has to beat (empirical risk minimisation)."""
    return Policy("none", _unmixed, METHODS["none"].facts, fixed(shares=(1.0,)), probability=0.0)


METHODS = Table(
    "mixing method",
    {
        "none": entry(
            no_mixing, source="Vapnik 1998, empirical risk minimisation", facts=MethodFacts((1, 1), any_depth=True)
        ),
        "mixup": _method(
            "mixup",
            mixup,
            MethodFacts((1, None), any_depth=True, convex_only=False, published={"name": "beta", "alpha": 1.0}),
            source="Zhang et al. 2018, arXiv 1710.09412; hidden depths: Verma et al. 2019, arXiv 1806.05236",
            ratio={"name": "beta", "alpha": 1.0},
        ),
        "cutmix": _method(
            "cutmix",
            cutmix,
            MethodFacts((2, 2), published={"name": "beta", "alpha": 1.0}),
            source="Yun et al. 2019, arXiv 1905.04899",
            ratio={"name": "beta", "alpha": 1.0},
        ),
    },
)
