"""The objective over alpha: a curve with its band, the trials, no mixing, and the interval that is as good."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tuner.report.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    WIDE,
    Quantity,
    Size,
    figure,
    logarithmic,
    styled,
)
from tuner.selection.answer import Response

_PANEL = 2.7
_HOLLOW: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": BLUE, "markersize": 5.5, "zorder": 3}


@dataclass(frozen=True)
class Reference:
    """What no mixing reaches, with an interval where that is known."""

    value: float
    low: float | None = None
    high: float | None = None


def responses(
    found: Sequence[Response], shown: Quantity, unmixed: Reference | None = None, size: Size = WIDE
) -> Figure:
    """Draw a panel for each method and distribution; all have the same objective axis.

    The axis spans what ran to the end; a stopped trial whose last value lies outside of it is a triangle at the edge.
    The curve is broken where it goes beyond the trials that ran to the end: there it is a guess.
    """
    columns = min(size.columns, len(found))
    rows = math.ceil(len(found) / columns)
    with styled():
        drawn = figure(size, 0.75 + _PANEL * rows, " ".join(map(_described, found)))
        grid = drawn.subplots(rows, columns, sharey=True, squeeze=False)
        panels = list(grid.flat)
        limits = _limits(found, shown, unmixed)
        for axes, one in zip(panels, found, strict=False):
            axes.set_ylim(*limits)
            _panel(axes, one, shown, unmixed)
        for axes in panels[len(found) :]:
            axes.set_visible(False)
        for row in grid:
            row[0].set_ylabel(shown.label)
        handles = _handles(found, unmixed)
        drawn.legend(handles=handles, loc="outside lower left", ncols=3 if size.columns > 1 else 2)
    return drawn


def _panel(axes: Axes, one: Response, shown: Quantity, unmixed: Reference | None) -> None:
    logarithmic(axes, *_span(one), one.parameter)
    axes.set_title(f"{one.method}, {one.distribution}", fontweight="bold", pad=22)
    axes.annotate(_said(one), (0, 1), (0, 8), xycoords="axes fraction", textcoords="offset points", color=GREY)
    if unmixed is not None:
        _reference(axes, unmixed, shown)
    if one.interval is not None:
        if one.interval != one.searched:
            axes.axvspan(*one.interval, color=GREEN, alpha=0.1, linewidth=0)
        _over_the_edge(axes.plot(one.interval, [1, 1], color=GREEN, linewidth=4, transform=axes.get_xaxis_transform()))
    if one.curve is not None:
        low, high, mean = ([shown.factor * y for y in line] for line in (one.curve.low, one.curve.high, one.curve.mean))
        axes.fill_between(one.curve.values, low, high, color=BLUE, alpha=0.18, linewidth=0)
        for places, style in _pieces(one):
            axes.plot([one.curve.values[n] for n in places], [mean[n] for n in places], style, color=BLUE, linewidth=2)
        best = one.curve.values.index(one.best) if one.best in one.curve.values else 0
        axes.plot(one.curve.values[best], mean[best], "D", color=GREEN, markeredgecolor="white", markersize=7, zorder=5)
    _points(axes, one, shown)


def _pieces(one: Response) -> list[tuple[range, str]]:
    """Return the places of the curve with their line styles: broken beyond the trials that ran to the end."""
    values = one.curve.values if one.curve is not None else ()
    finished = [point.value for point in one.points if point.complete]
    inside = [n for n, value in enumerate(values) if min(finished) <= value <= max(finished)] or [0]
    first, last = inside[0], inside[-1]
    return [(range(first + 1), ":"), (range(first, last + 1), "-"), (range(last, len(values)), ":")]


def _reference(axes: Axes, unmixed: Reference, shown: Quantity) -> None:
    if unmixed.low is not None and unmixed.high is not None:
        axes.axhspan(shown.factor * unmixed.low, shown.factor * unmixed.high, color=GREY, alpha=0.15, linewidth=0)
    axes.axhline(shown.factor * unmixed.value, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))


def _points(axes: Axes, one: Response, shown: Quantity) -> None:
    low, high = axes.get_ylim()
    complete = [(point.value, shown.factor * point.objective) for point in one.points if point.complete]
    stopped = [(point.value, shown.factor * point.objective) for point in one.points if not point.complete]
    _dots(axes, complete, "complete", color=BLUE, markeredgecolor="white", markersize=6.5, zorder=4)
    _dots(axes, [(x, y) for x, y in stopped if low <= y <= high], "stopped", **_HOLLOW)
    _over_the_edge(_dots(axes, [(x, low) for x, y in stopped if y < low], "stopped below", marker="v", **_HOLLOW))
    _over_the_edge(_dots(axes, [(x, high) for x, y in stopped if y > high], "stopped above", marker="^", **_HOLLOW))


def _dots(
    axes: Axes, places: Sequence[tuple[float, float]], label: str, marker: str = "o", **style: Any
) -> list[Line2D]:
    """Draw dots, under a label by which they can be found again."""
    xs, ys = [x for x, _ in places], [y for _, y in places]
    return axes.plot(xs, ys, marker=marker, linestyle="none", label=label, **style)


def _over_the_edge(lines: Sequence[Line2D]) -> None:
    """Let lines stand over the axes' edge without making room for them."""
    for line in lines:
        line.set_clip_on(False)
        line.set_in_layout(False)


def _limits(found: Sequence[Response], shown: Quantity, unmixed: Reference | None) -> tuple[float, float]:
    """Return the ends of the objective's axis: what ran to the end, the curves and most of their bands."""
    values = [point.objective for one in found for point in one.points if point.complete]
    for one in found:
        if one.curve is not None:
            values += [*one.curve.mean, *one.curve.low, *one.curve.high]
    if unmixed is not None:
        values += [end for end in (unmixed.value, unmixed.low, unmixed.high) if end is not None]
    values = values or [point.objective for one in found for point in one.points]
    low, high = shown.factor * min(values), shown.factor * max(values)
    room = 0.06 * (high - low) or abs(high) * 0.01 or 1.0
    return low - room, high + room


def _span(one: Response) -> tuple[float, float]:
    values = [point.value for point in one.points]
    return min(one.searched[0], *values), max(one.searched[1], *values)


def _handles(found: Sequence[Response], unmixed: Reference | None) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = []
    if any(one.curve is not None for one in found):
        handles += [
            Line2D([], [], color=BLUE, linewidth=2, label="expected"),
            Line2D([], [], color=BLUE, linewidth=2, linestyle=":", label="none ran to the end"),
            Patch(color=BLUE, alpha=0.18, label="95 % band"),
            Line2D([], [], marker="D", color=GREEN, markeredgecolor="white", linestyle="none", label="best"),
            Line2D([], [], color=GREEN, linewidth=4, label="as good as the best"),
        ]
    handles.append(Line2D([], [], marker="o", color=BLUE, linestyle="none", label="ran to the end"))
    if any(not point.complete for one in found for point in one.points):
        handles.append(Line2D([], [], marker="o", linestyle="none", label="stopped, last value", **_HOLLOW))
        handles.append(Line2D([], [], marker="v", linestyle="none", label="stopped, off the axis", **_HOLLOW))
    if unmixed is not None:
        handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=(0, (4, 3)), label="no mixing"))
    return handles


def _said(one: Response) -> str:
    """Return the line under a panel's title."""
    if one.interval is None:
        return "too few trials ran to the end for a curve"
    low, high = one.interval
    if one.interval == one.searched:
        return f"no {one.parameter} can be told from the best"
    return f"as good as the best: {one.parameter} {low:.2g} to {high:.2g}"


def _described(one: Response) -> str:
    return f"{one.words}."
