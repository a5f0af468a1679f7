"""Read a CSV file into columns of text, and refuse what would be read as something else than was meant."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuner.datasets.features import MISSING
from tuner.datasets.stratify import listed

_NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
"""Cells, in lower case, that stand for no value."""

_LARGEST = float(np.finfo(np.float32).max)

_DELIMITERS = {";": "a semicolon", "\t": "a tab", "|": "a bar", ",": "a comma"}


@dataclass(frozen=True)
class Rows:
    """A table as text: each column's cells, and the line of the file where each row ends."""

    file: Path
    columns: dict[str, np.ndarray]
    lines: np.ndarray

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, chosen: np.ndarray) -> Rows:
        """Return some of the rows."""
        return Rows(self.file, {name: cells[chosen] for name, cells in self.columns.items()}, self.lines[chosen])


def read_rows(file: Path, delimiter: str) -> Rows:
    """Return a CSV file's columns; cells without a value are empty.

    Not by pandas, which fills short rows up without a word, and guesses types from the rows at hand.

    Raises:
        ValueError: there is no such file, or it is no table with a header, each row as long as that.
    """
    if not file.is_file():
        raise ValueError(f"path {file} is {'a folder' if file.is_dir() else 'missing'}; wanted a CSV file")
    header, rows, lines = _parsed(file, delimiter)
    if not header:
        raise ValueError(f"{file} is empty; wanted a line with the names of the columns, and then the rows")
    names = [name.strip() for name in header]
    _check_header(file, names, delimiter)
    _check_lengths(file, names, rows, lines)
    if not rows:
        raise ValueError(f"{file} has a header and no rows; wanted a row for each example")
    cells = zip(*rows, strict=True)
    columns = {name: np.array([_plain(cell) for cell in column]) for name, column in zip(names, cells, strict=True)}
    return Rows(file, columns, np.array(lines))


def is_number(cell: str) -> bool:
    """Tell whether a cell is a finite number as a table writes it."""
    try:
        return "_" not in cell and abs(float(cell)) < _LARGEST
    except ValueError:
        return False


def _parsed(file: Path, delimiter: str) -> tuple[list[str], list[list[str]], list[int]]:
    header: list[str] = []
    rows, lines = [], []
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            for row in reader:
                if not row:
                    continue
                if not header:
                    header = row
                    continue
                rows.append(row)
                lines.append(reader.line_num)
    except UnicodeDecodeError as error:
        advice = "write it as UTF-8 (iconv -f latin1 -t utf-8, or in a spreadsheet 'CSV UTF-8')"
        raise ValueError(f"{file} is no UTF-8 text (at byte {error.start}); {advice}") from error
    except csv.Error as error:
        raise ValueError(f"{file} is no CSV file at line {reader.line_num}: {error}") from error
    return header, rows, lines


def _check_header(file: Path, names: Sequence[str], delimiter: str) -> None:
    if len(names) == 1:
        other = next((one for one in _DELIMITERS if one != delimiter and one in names[0]), None)
        if other is not None:
            wanted = f"{_DELIMITERS[other]} seems to separate them; set delimiter: {other!r}"
            raise ValueError(f"{file} has the one column {names[0]!r}; {wanted}")
    if "" in names:
        advice = "name it, or write the file without its row numbers (pandas: index=False)"
        raise ValueError(f"column {names.index('') + 1} of {file} has no name in the header; {advice}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the header of {file} has {listed(twice)} more than once; give each column a name of its own")


def _check_lengths(file: Path, names: Sequence[str], rows: Sequence[list[str]], lines: Sequence[int]) -> None:
    wrong = [(line, len(row)) for line, row in zip(lines, rows, strict=True) if len(row) != len(names)]
    if wrong:
        line, length = wrong[0]
        raise ValueError(
            f"{file} has {len(wrong)} rows that are not as long as the header's {len(names)} columns, the first at "
            f"line {line} with {length}; mend them (a text with the delimiter in it needs quotes)"
        )


def _plain(cell: str) -> str:
    """Return a cell without the blanks around it; whatever stands for no value is empty."""
    stripped = cell.strip()
    return MISSING if stripped.lower() in _NOTHING else stripped
