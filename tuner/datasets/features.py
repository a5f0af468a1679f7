"""The features of a table: each is a number of a column, or whether a column has a certain value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

MISSING = ""
"""What a cell without a value is read as, and the level that a categorical column has for it."""


class Feature(NamedTuple):
    """One number that a network gets of a row: the column's own, or 1 where the column's value is `level`, else 0.

    `fill` stands for a number that is missing; None where none may be.
    """

    column: str
    level: str | None = None
    fill: float | None = None

    @property
    def name(self) -> str:
        """Return what the feature is called."""
        return self.column if self.level is None else f"{self.column}={self.level or 'missing'}"


def encoded(
    columns: Mapping[str, np.ndarray | Sequence[str]], features: Sequence[Feature]
) -> Float32[np.ndarray, "n features 1 1"]:
    """Return the rows of a table as a network gets them; a level that no feature has is 0 in all of its column's.

    Raises:
        ValueError: a cell of a column of numbers is none, or is empty where it may not be.
    """
    known = {feature.column: np.asarray(columns[feature.column], dtype=str) for feature in features}
    values = [_values(known[feature.column], feature) for feature in features]
    return np.ascontiguousarray(np.stack(values, axis=1)[:, :, np.newaxis, np.newaxis])


def column_numbers(features: Sequence[Feature]) -> list[int]:
    """Return for each feature the number of its column, from 0 in the order of the features."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(feature.column, len(numbers)) for feature in features]


def _values(cells: np.ndarray, feature: Feature) -> Float32[np.ndarray, " n"]:
    if feature.level is not None:
        return np.asarray(cells == feature.level, dtype=np.float32)
    is_missing: np.ndarray = cells == MISSING
    if is_missing.any() and feature.fill is None:
        raise ValueError(f"column {feature.column} has {int(is_missing.sum())} cells without a value; it may have none")
    filled = np.where(is_missing, str(feature.fill), cells)
    try:
        return np.asarray(filled.astype(np.float32))
    except ValueError as error:
        raise ValueError(f"column {feature.column} wants numbers: {error}") from None
