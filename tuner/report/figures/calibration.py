"""Accuracy against calibration: which trials are beaten in both, and which are a choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tuner.report.figures.style import GREY, INK, WIDE, Quantity, Size, figure, quantity, series, styled

_APART = 0.05
"""The least distance of two labels, as a part of the axis."""


@dataclass(frozen=True)
class Trade:
    """One policy's accuracy and calibration error, both shares; `label` is written beside it if it is on the front."""

    label: str
    method: str
    accuracy: float
    calibration_error: float


def front(trades: Sequence[Trade]) -> list[Trade]:
    """Return those than which none is better in one and at least as good in the other, by accuracy.

    Of equal ones the first counts.
    """
    ordered = sorted(trades, key=lambda one: (-one.accuracy, one.calibration_error))
    found: list[Trade] = []
    for one in ordered:
        if not found or one.calibration_error < found[-1].calibration_error:
            found.append(one)
    return found[::-1]


def calibration(trades: Sequence[Trade], split: str = "val", size: Size = WIDE) -> Figure:
    """Draw accuracy upwards and calibration error to the right: the best is at the top left."""
    accuracy, error = quantity(f"{split}_accuracy"), quantity(f"{split}_ece")
    best = front(trades)
    colours = series([one.method for one in trades])
    with styled():
        drawn = figure(size, 3.8, _described(best, accuracy, error))
        axes = drawn.subplots()
        steps = [(error.factor * one.calibration_error, accuracy.factor * one.accuracy) for one in best]
        axes.step(*zip(*steps, strict=True), where="post", color=GREY, linewidth=1, linestyle="--", zorder=1)
        for one in trades:
            colour, marker = colours[one.method]
            axes.plot(
                error.factor * one.calibration_error,
                accuracy.factor * one.accuracy,
                marker,
                color=INK if one.method == "none" else colour,
                alpha=1.0 if one in best else 0.45,
                markersize=8 if one in best else 6,
                markeredgecolor=INK if one in best else "white",
                zorder=3 if one in best else 2,
            )
        axes.margins(x=0.12, y=0.14)
        _labels(axes, best, accuracy, error)
        axes.set_xlabel(f"{error.label} (smaller is better)")
        axes.set_ylabel(accuracy.label)
        drawn.legend(handles=_handles(trades, colours), loc="outside lower left", ncols=5 if size.columns > 1 else 3)
    return drawn


def _labels(axes: Axes, best: Sequence[Trade], accuracy: Quantity, error: Quantity) -> None:
    """Write the names of those on the front above them, as far as they do not lie on one another."""
    low, high = axes.get_ylim()
    middle = sum(axes.get_xlim()) / 2
    last = -float("inf")
    for one in best:
        x, y = error.factor * one.calibration_error, accuracy.factor * one.accuracy
        if y - last >= _APART * (high - low):
            side, away = ("left", -4) if x < middle else ("right", 4)  # so that it stays inside
            axes.annotate(one.label, (x, y), (away, 6), textcoords="offset points", fontsize=8.5, ha=side)
            last = y


def _described(best: Sequence[Trade], accuracy: Quantity, error: Quantity) -> str:
    values = ((one.label, accuracy.text(one.accuracy), error.text(one.calibration_error)) for one in best)
    names = ", ".join(f"{label} ({first}, {second})" for label, first, second in values)
    return f"{accuracy.name} and {error.name.lower()}. No policy is better in both than {names}."


def _handles(trades: Sequence[Trade], colours: dict[str, tuple[str, str]]) -> list[Line2D]:
    methods = sorted({one.method for one in trades}, key=lambda name: (name == "none", name))
    handles = [
        Line2D(
            [],
            [],
            marker=colours[name][1],
            color=INK if name == "none" else colours[name][0],
            linestyle="none",
            label="no mixing" if name == "none" else name,
        )
        for name in methods
    ]
    ringed = Line2D([], [], color=GREY, linewidth=1, linestyle="--", marker="o", markerfacecolor="white")
    ringed.set(markeredgecolor=INK, label="none is better in both")
    return [*handles, ringed]
