"""How differences and chances are written for people."""

from __future__ import annotations

_SHARES = {"accuracy", "ece"}


def unit(metric: str) -> str:
    """Return what differences of a metric are told in: points where it is a share, else the metric's own unit."""
    return "points" if metric.rpartition("_")[2] in _SHARES else metric


def amount(metric: str, value: float) -> str:
    """Write a difference without a sign, shares in points (hundredths)."""
    return f"{abs(value) * 100:.2f} points" if unit(metric) == "points" else f"{abs(value):.4f}"


def gain(metric: str, value: float) -> str:
    """Write a difference with its sign; plus is better, whichever way the metric goes."""
    return f"{_number(metric, value)} points" if unit(metric) == "points" else _number(metric, value)


def interval(metric: str, low: float, high: float) -> str:
    """Write an interval of differences."""
    return f"{_number(metric, low)} to {gain(metric, high)}"


def chance(p_value: float) -> str:
    """Write a p-value."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def counted(number: int, thing: str) -> str:
    """Write a number of things."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _number(metric: str, value: float) -> str:
    return f"{value * 100:+.2f}" if unit(metric) == "points" else f"{value:+.4f}"
