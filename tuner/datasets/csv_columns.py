"""Which columns of a table are numbers and which categories, and the features that they become."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from tuner.datasets.csv_rows import Rows, is_number
from tuner.datasets.features import MISSING, Feature
from tuner.datasets.stratify import listed

Missing = Literal["error", "mean"]

_LIKE_A_NUMBER = re.compile(r"[-+]?[$€£]?\s?\d[\d.,' ]*\s?[%€$£]?")
"""Decimal commas, thousands apart, per cent, money: what a person reads as a number."""

MOST_LEVELS = 100
"""A column of words with more different ones is taken for a category only where the study file says that it is one."""


def kinds(rows: Rows, names: Sequence[str], categorical: Sequence[str]) -> dict[str, bool]:
    """Return for each column whether it is numbers; those with words are categories.

    Raises:
        ValueError: a column has no value at all, a few words among numbers, or a word of its own in nearly every row.
    """
    found: dict[str, bool] = {}
    for name in names:
        cells = rows.columns[name]
        if (cells == MISSING).all():
            raise ValueError(f"column {name} of {rows.file} has no value in any row; list it in ignore")
        words = words_of(cells)
        found[name] = name not in categorical and not words.any()
        if name not in categorical and words.any():
            _check_words(rows, name, words)
    return found


def words_of(cells: np.ndarray) -> np.ndarray:
    """Return which cells have a value that is no number."""
    return np.array([cell != MISSING and not is_number(cell) for cell in cells], dtype=bool)


def check_mostly_words(rows: Rows, name: str, words: np.ndarray, advice: str) -> None:
    """Check that words are not a few mistakes in a column of numbers.

    Raises:
        ValueError: they seem to be.
    """
    numbers = int((rows.columns[name] != MISSING).sum() - words.sum())
    if numbers > words.sum():
        first = int(np.flatnonzero(words)[0])
        raise ValueError(
            f"column {name} of {rows.file} has {numbers} numbers and {int(words.sum())} cells that are none, the first "
            f"{str(rows.columns[name][first])!r} at line {rows.lines[first]}; mend them, or {advice}"
        )


def _check_words(rows: Rows, name: str, words: np.ndarray) -> None:
    check_mostly_words(rows, name, words, f"list {name} in categorical or in ignore")
    cells = rows.columns[name][words]
    if sum(_LIKE_A_NUMBER.fullmatch(cell) is not None for cell in cells.tolist()) > len(cells) / 2:
        raise ValueError(
            f"column {name} of {rows.file} seems to be numbers, written as {str(cells[0])!r}; write them with a point "
            f"and without separators or units, or list {name} in categorical or in ignore"
        )
    levels = len(set(rows.columns[name].tolist()) - {MISSING})
    if levels > MOST_LEVELS or levels == len(rows):
        raise ValueError(
            f"column {name} of {rows.file} has {levels} different words in {len(rows)} rows, too many to learn from "
            f"each; list {name} in ignore, or in categorical if it is a category all the same"
        )


def require_values(rows: Rows, names: Sequence[str], missing: Missing) -> None:
    """Check that no cell is without a value, unless the study file says what stands for it.

    Raises:
        ValueError: some are, with each column and its number of rows.
    """
    if missing != "error":
        return
    counts = {name: int((rows.columns[name] == MISSING).sum()) for name in names}
    lacking = [f"{name} in {count}" for name, count in counts.items() if count]
    if lacking:
        column = next(name for name, count in counts.items() if count)
        line = rows.lines[np.flatnonzero(rows.columns[column] == MISSING)[0]]
        raise ValueError(
            f"{rows.file} has cells without a value: {listed(lacking)} of {len(rows)} rows, the first at line {line}; "
            "set missing: mean to learn from these rows all the same, or list the columns in ignore"
        )


def features_of(training: Rows, numeric: Mapping[str, bool], missing: Missing) -> tuple[Feature, ...]:
    """Return the features that columns become: levels and means are those of the training rows.

    Raises:
        ValueError: a column has no value in the training rows.
    """
    found: list[Feature] = []
    for name, is_numeric in numeric.items():
        cells = training.columns[name]
        known = cells[cells != MISSING]
        if not known.size:
            raise ValueError(f"column {name} of {training.file} has no value in the training rows; list it in ignore")
        if is_numeric:
            mean = float(known.astype(np.float64).mean()) if missing == "mean" else None
            found.append(Feature(name, fill=mean))
        else:
            found += [Feature(name, level) for level in sorted(set(cells.tolist()))]
    return tuple(found)


def unseen(rows: Rows, features: Sequence[Feature]) -> tuple[str, ...]:
    """Say which levels rows have that no feature stands for."""
    levels: dict[str, set[str]] = {}
    for feature in features:
        if feature.level is not None:
            levels.setdefault(feature.column, set()).add(feature.level)
    return tuple(
        f"column {name}: test rows have {listed(sorted(new))}, which no training row has; they count as no level at all"
        for name, known in levels.items()
        if (new := {cell or "none" for cell in set(rows.columns[name].tolist()) - known})
    )
