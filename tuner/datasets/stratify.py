"""Stratified draws: every class gives its share to within one example, the same for one seed on every machine.

The random keys are raw bits of PCG64, whose stream NumPy promises to keep (NEP 19); `Generator.permutation` has no
such promise.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Int64

HELD_OUT_SEED = 20_180_426
"""Seed of the test split of a data set that comes without one: a constant, so that no study's seed can move it."""

QUANTILES = 10
"""So many strata has a regression: each part has its share of every tenth of the target."""

_NAMED = 5


def hold_out(
    labels: Int64[np.ndarray, " n"] | Float32[np.ndarray, " n"], classes: tuple[str, ...], share: float
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Return masks of the training and the test split for a data set that comes without a test split.

    Raises:
        ValueError: a class has fewer than 2 examples.
    """
    count = max(len(classes), round(share * labels.size), 1)
    among, names = strata(labels, classes, min(count, labels.size - count))
    test = set_apart(among, names, count, np.random.PCG64(HELD_OUT_SEED), "the held-out test split")
    return ~test, test


def strata(
    labels: Int64[np.ndarray, " n"] | Float32[np.ndarray, " n"], classes: tuple[str, ...], smallest: int
) -> tuple[Int64[np.ndarray, " n"], tuple[str, ...]]:
    """Return what a draw is stratified by: the classes, or the quantiles of a regression's target as if they were.

    There are as many quantiles as each can give an example to the `smallest` part, ten at most.
    """
    if classes:
        return labels.astype(np.int64, copy=False), classes
    count = max(1, min(QUANTILES, smallest, labels.size // 2))
    rank = np.empty(labels.size, dtype=np.int64)
    rank[np.argsort(labels, kind="stable")] = np.arange(labels.size)
    return rank * count // max(1, labels.size), tuple(f"quantile {number}" for number in range(1, count + 1))


def set_apart(
    labels: Int64[np.ndarray, " n"],
    classes: tuple[str, ...],
    count: int,
    rng: np.random.BitGenerator,
    purpose: str,
) -> Bool[np.ndarray, " n"]:
    """Return which `count` examples a stratified draw sets apart; at least one of every class stays behind.

    Raises:
        ValueError: some class cannot be in both parts.
    """
    sizes = np.bincount(labels, minlength=len(classes))
    small = [f"{name} has {size}" for name, size in zip(classes, sizes, strict=True) if size < 2]
    if small:
        raise ValueError(
            f"every class needs at least 2 examples, one for {purpose} and one to stay, but {listed(small)}; "
            f"add examples or leave the class out"
        )
    most = labels.size - len(classes)
    if not len(classes) <= count <= most:
        raise ValueError(
            f"{purpose} cannot take {count} of {labels.size} examples and have every one of the {len(classes)} "
            f"classes in both parts; choose {len(classes)} to {most}"
        )
    return _drawn(labels, apportion(sizes, count, sizes - 1), rng)


def keep(
    labels: Int64[np.ndarray, " n"], classes: tuple[str, ...], count: int, rng: np.random.BitGenerator
) -> Bool[np.ndarray, " n"]:
    """Return which `count` of the examples, every class present, a stratified subset keeps.

    Raises:
        ValueError: there are fewer examples than `count`, or more classes.
    """
    if not len(classes) <= count <= labels.size:
        raise ValueError(
            f"cannot keep {count} of {labels.size} examples with every one of the {len(classes)} classes among them; "
            f"choose {len(classes)} to {labels.size}"
        )
    sizes = np.bincount(labels, minlength=len(classes))
    return _drawn(labels, apportion(sizes, count, sizes), rng)


def apportion(
    sizes: Int64[np.ndarray, " classes"], count: int, largest: Int64[np.ndarray, " classes"]
) -> Int64[np.ndarray, " classes"]:
    """Return how many of `count` each class gives: 1 to `largest`, and otherwise as near its share as can be.

    That is within one example, except where rare classes have to be given their one example by the others. Computed in
    whole numbers. The caller sees to it that `count` is between the number of classes and the sum of `largest`.
    """
    total = int(sizes.sum())
    given = np.clip(sizes * count // total, 1, largest)
    while (missing := count - int(given.sum())) != 0:
        owed = sizes * count - given * total
        if missing > 0:
            given[np.argmax(np.where(given < largest, owed, np.iinfo(np.int64).min))] += 1
        else:
            given[np.argmin(np.where(given > 1, owed, np.iinfo(np.int64).max))] -= 1
    return np.asarray(given)


def listed(items: list[str]) -> str:
    """Return the first few items, and how many more there are."""
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(items[:_NAMED]) + more


def _drawn(
    labels: Int64[np.ndarray, " n"], given: Int64[np.ndarray, " classes"], rng: np.random.BitGenerator
) -> Bool[np.ndarray, " n"]:
    """Choose in each class as many as it gives: those with the smallest random keys."""
    keys = np.asarray(rng.random_raw(labels.size))
    order = np.lexsort((keys, labels))
    sizes = np.bincount(labels, minlength=given.size)
    rank = np.empty(labels.size, dtype=np.int64)
    rank[order] = np.arange(labels.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.asarray(rank < given[labels])
