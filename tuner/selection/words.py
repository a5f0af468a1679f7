"""How differences and chances are written for people."""

from __future__ import annotations

import math

_UNITS = {"accuracy": "share", "ece": "share", "rmse": "", "mae": "", "r2": ""}
"""Units as the numbers are stored; errors are in the target's own, whatever that is. Losses are in nats."""

_DIGITS = 3
"""Of a difference of errors; what comes after them is noise."""


def unit(metric: str) -> str:
    """Return the unit of a metric's numbers, as they are stored; empty where it has none, or the target's own."""
    return _UNITS.get(metric.rpartition("_")[2], "nats")


def is_share(metric: str) -> bool:
    """Tell whether a metric is a share from 0 to 1, whose differences people read in points (hundredths)."""
    return unit(metric) == "share"


def number(metric: str, value: float, digits: int = 4, like: float | None = None) -> str:
    """Write a metric's number without its unit; an error in the target's unit has so many `digits`, however large.

    With `like` it is as exact as that number would be written.
    """
    value += 0.0  # of the two zeros the one without a sign
    if metric.rpartition("_")[2] not in {"rmse", "mae"} or not math.isfinite(value):
        return f"{value:.4f}"
    size = abs(value if like is None else like)
    before = math.floor(math.log10(size)) + 1 if size and math.isfinite(size) else 0
    return f"{value:.{min(max(digits - before, 0), 12)}f}"


def amount(metric: str, value: float) -> str:
    """Write a difference without a sign, shares in points (hundredths)."""
    return f"{_number(metric, abs(value)).lstrip('+')} {_told_in(metric)}".rstrip()


def gain(metric: str, value: float) -> str:
    """Write a difference with its sign; plus is better, whichever way the metric goes."""
    return f"{_number(metric, value)} {_told_in(metric)}".rstrip()


def interval(metric: str, low: float, high: float) -> str:
    """Write an interval of differences."""
    largest = max(abs(low), abs(high))
    return f"{_number(metric, low, largest)} to {_number(metric, high, largest)} {_told_in(metric)}".rstrip()


def chance(p_value: float) -> str:
    """Write a p-value."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def counted(number: int, thing: str, things: str = "") -> str:
    """Write a number of things; the plural is the singular with an s, unless it is given."""
    return f"{number} {thing if number == 1 else things or f'{thing}s'}"


def difference(metric: str, value: float) -> str:
    """Write the difference of two values of a metric with its sign, shares in points (hundredths)."""
    return f"{_number(metric, value)} {_told_in(metric)}" if is_share(metric) else _number(metric, value)


def _number(metric: str, value: float, like: float | None = None) -> str:
    """Return a number with its sign, which one that is 0 as far as it is written has not."""
    if is_share(metric):
        text = f"{value * 100:+.2f}"
    else:
        text = ("" if value < 0 else "+") + number(metric, value, _DIGITS, like)
    return text if text.strip("+-0.") else text.lstrip("+-")


def _told_in(metric: str) -> str:
    return "points" if is_share(metric) else unit(metric)
