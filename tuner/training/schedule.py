"""Learning-rate schedules: the factor on the learning rate as a pure function of the share of training done."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from tuner.catalog import Table, entry

Schedule = Callable[[float, float], float]
"""Gives the factor in [0, 1] from (epochs done, epochs in all), both real numbers: steps count as parts of epochs."""

WarmUp = Annotated[float, Ge(0)]
Share = Annotated[float, Gt(0), Lt(1)]


def constant(*, warmup_epochs: WarmUp = 0.0) -> Schedule:
    """The same learning rate throughout, after a linear warm-up."""
    return _warmed(warmup_epochs, lambda _: 1.0)


def cosine(*, warmup_epochs: WarmUp = 0.0, final_factor: Annotated[float, Ge(0), Le(1)] = 0.0) -> Schedule:
    """Half a cosine from 1 down to `final_factor`, after a linear warm-up.

    Source: Loshchilov and Hutter, SGDR (arXiv 1608.03983), equation 5, without restarts.
    """
    return _warmed(warmup_epochs, lambda share: final_factor + (1 - final_factor) * (1 + math.cos(math.pi * share)) / 2)


def step(
    *,
    warmup_epochs: WarmUp = 0.0,
    at: tuple[Share, ...] = (0.5, 0.75),
    factor: Annotated[float, Gt(0), Le(1)] = 0.1,
) -> Schedule:
    """Multiply by `factor` at each of these shares of training (the articles' 100 and 150 of 200: 0.5, 0.75).

    Raises:
        ValueError: the shares do not increase.
    """
    if any(later <= earlier for earlier, later in pairwise(at)):
        raise ValueError(f"the shares in `at` must increase, got {list(at)}")
    return _warmed(warmup_epochs, lambda share: factor ** sum(share >= drop for drop in at), keep_origin=True)


SCHEDULES = Table("schedule", {"constant": entry(constant), "cosine": entry(cosine), "step": entry(step)})


def _warmed(warmup: float, after: Callable[[float], float], keep_origin: bool = False) -> Schedule:
    """Grow linearly over `warmup` epochs, then follow `after`, whose share counts from the warm-up's end."""

    def factor(done: float, total: float) -> float:
        if done < warmup:
            return done / warmup
        start = 0.0 if keep_origin else min(warmup, total)
        return after((done - start) / (total - start) if total > start else 1.0)

    return factor
