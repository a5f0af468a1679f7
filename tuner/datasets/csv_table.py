"""Your own table from a CSV file: numbers and categories as columns, classes or numbers to predict."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Len
from jaxtyping import Float32, Int64

from tuner.catalog import nearest
from tuner.datasets.base import Dataset, Examples
from tuner.datasets.csv_columns import Missing, check_mostly_words, features_of, kinds, require_values, unseen, words_of
from tuner.datasets.csv_rows import Rows, read_rows
from tuner.datasets.features import MISSING, Feature, encoded
from tuner.datasets.stratify import hold_out, listed

TEST_SHARE = 0.15

_LEAST_ROWS = 10
_MOST_CLASSES = 20
"""Whole numbers with no more different values than these are taken for classes by `task: auto`."""

_MOST_WORDS = 1000

Task = Literal["auto", "classification", "regression"]


@dataclass(frozen=True)
class _Settings:
    target: str
    task: Task
    categorical: tuple[str, ...]
    ignore: tuple[str, ...]
    delimiter: str
    missing: Missing


def csv(
    *,
    path: str,
    target: str,
    task: Task = "auto",
    categorical: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    test_path: str | None = None,
    delimiter: Annotated[str, Len(1, 1)] = ",",
    missing: Missing = "error",
) -> Dataset:
    """Your own table in a CSV file with a header, in UTF-8; `target` is the column to predict.

    With `task: auto` a target of words, or of at most 20 different whole numbers, is classes; other numbers are a
    regression. Columns with words in them are categories, as are those in `categorical`: each becomes a feature for
    every level that the training rows have, and a level that only test rows have is none of them. Columns in `ignore`
    are left out. With `missing: mean` a number without a value is the mean of the training rows, and in a category
    having none is a level of its own; cells that are empty or NA, N/A, NaN, null, None or ? have no value. Without
    `test_path`, a file with the same columns, a fixed stratified 15 % is the test split.

    Raises:
        ValueError: no such file or column, a file that is no table, or columns that nothing can be learnt from.
    """
    settings = _Settings(target, task, categorical, ignore, delimiter, missing)
    file = _absolute(path)
    rows = read_rows(file, delimiter)
    names = _names(rows, settings)
    classes = _classes(rows, settings)
    numeric = kinds(rows, names, categorical)
    require_values(rows, names, missing)
    labels = _labels(rows, target, classes)
    training = hold_out(labels, classes, TEST_SHARE)[0] if test_path is None else np.ones(len(rows), dtype=bool)
    features = features_of(rows.take(training), numeric, missing)
    examples = Examples(encoded(rows.columns, features), labels)
    doubts = _doubts(rows, settings, classes)
    if test_path is not None:
        load = partial(_load, _absolute(test_path), settings, classes, features)
        return Dataset(classes, examples, load, doubts, features)
    load = partial(_load_held_out, file, settings, classes, features)
    warnings = (*doubts, *unseen(rows.take(~training), features))
    return Dataset(classes, examples.take(training), load, warnings, features)


def _absolute(path: str) -> Path:
    return Path(path).expanduser().absolute()


def _load(file: Path, settings: _Settings, classes: tuple[str, ...], features: tuple[Feature, ...]) -> Examples:
    """Read the rows of a file with the features of the training rows."""
    rows = read_rows(file, settings.delimiter)
    wanted = dict.fromkeys([settings.target, *(feature.column for feature in features)])
    if lacking := [name for name in wanted if name not in rows.columns]:
        raise ValueError(f"{file} lacks {listed(lacking)}, which the training file has; wanted the same columns")
    try:
        return Examples(encoded(rows.columns, features), _labels(rows, settings.target, classes))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _load_held_out(
    file: Path, settings: _Settings, classes: tuple[str, ...], features: tuple[Feature, ...]
) -> Examples:
    whole = _load(file, settings, classes, features)
    return whole.take(hold_out(whole.labels, classes, TEST_SHARE)[1])


def _names(rows: Rows, settings: _Settings) -> list[str]:
    """Return the columns that are learnt from."""
    _require(rows, (settings.target,), "target")
    _require(rows, settings.categorical, "categorical")
    _require(rows, settings.ignore, "ignore")
    if settings.target in (*settings.ignore, *settings.categorical):
        key = "ignore" if settings.target in settings.ignore else "categorical"
        raise ValueError(f"{key} has the target {settings.target}, which is predicted; take it out of {key}")
    names = [name for name in rows.columns if name not in {settings.target, *settings.ignore}]
    if not names:
        raise ValueError(f"{rows.file} has no column beside the target {settings.target} and those in ignore")
    if len(rows) < _LEAST_ROWS:
        raise ValueError(f"{rows.file} has {len(rows)} rows; training, validation and test together need {_LEAST_ROWS}")
    return names


def _require(rows: Rows, names: tuple[str, ...], key: str) -> None:
    for name in names:
        if name not in rows.columns:
            has = f"it has {listed(list(rows.columns))}"
            raise ValueError(f"{key}: {rows.file} has no column {name!r}; {has}{nearest(name, list(rows.columns))}")


def _classes(rows: Rows, settings: _Settings) -> tuple[str, ...]:
    """Return the names of the classes; none for a regression."""
    target, cells = settings.target, rows.columns[settings.target]
    if (absent := cells == MISSING).any():
        line = rows.lines[np.flatnonzero(absent)[0]]
        message = f"{int(absent.sum())} of {len(rows)} rows have no {target}, the first at line {line}"
        raise ValueError(f"{rows.file}: {message}; leave out rows whose target is not known")
    words = words_of(cells)
    if settings.task != "classification" and words.any():
        check_mostly_words(rows, target, words, "set task: classification")
    if settings.task == "regression" and words.any():
        raise ValueError(
            f"column {target} of {rows.file} has words such as {str(cells[words][0])!r}; set task: classification"
        )
    levels = set(_called(cells))
    if len(levels) < 2:
        raise ValueError(f"column {target} of {rows.file} is {next(iter(levels))} in every row: nothing to learn")
    if settings.task == "regression" or (settings.task == "auto" and not words.any() and not _few_whole(cells)):
        return ()
    if len(levels) > _MOST_WORDS or len(levels) == len(rows):
        advice = "name another target" if words.any() else "set task: regression"
        raise ValueError(f"column {target} of {rows.file} has {len(levels)} classes in {len(rows)} rows; {advice}")
    return tuple(sorted(levels, key=str if words.any() else float))


def _few_whole(cells: np.ndarray) -> bool:
    values = np.unique(cells.astype(np.float64))
    return bool(values.size <= _MOST_CLASSES and (values == values.round()).all())


def _called(cells: np.ndarray) -> list[str]:
    """Return the names of classes; those that are numbers are called alike however they are written."""
    if words_of(cells).any():
        return [str(cell) for cell in cells]
    return [f"{value:.15g}" for value in cells.astype(np.float64)]


def _labels(rows: Rows, target: str, classes: tuple[str, ...]) -> Int64[np.ndarray, " n"] | Float32[np.ndarray, " n"]:
    cells = rows.columns[target]
    if not classes:
        if (wrong := words_of(cells) | (cells == MISSING)).any():
            line = rows.lines[np.flatnonzero(wrong)[0]]
            raise ValueError(f"{target} is no number in {int(wrong.sum())} rows, the first at line {line}")
        return cells.astype(np.float32)
    numbers = {name: number for number, name in enumerate(classes)}
    names = _called(cells)
    if new := sorted(set(names) - numbers.keys()):
        raise ValueError(
            f"{target} has {listed(new)}, which no training row has; its classes are {listed(list(classes))}"
        )
    return np.array([numbers[name] for name in names], dtype=np.int64)


def _doubts(rows: Rows, settings: _Settings, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Say that whole numbers were taken for classes, if nobody said that they are."""
    if settings.task != "auto" or not classes or words_of(rows.columns[settings.target]).any():
        return ()
    return (
        f"column {settings.target} has {len(classes)} whole numbers, taken for classes; set task: regression if they "
        "are amounts, or task: classification",
    )
