"""The points of a grid: the mean and the spread over the seeds, along an axis or as rows, beside what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from tuner.report.figures.style import (
    BLUE,
    GREY,
    INK,
    MARKERS,
    SERIES,
    WIDE,
    Quantity,
    Size,
    figure,
    shortened,
    styled,
    wrapped,
)

_ROW = 0.3
_MOST_COLUMNS = 8
_DASHED: Any = (0, (4, 3))


@dataclass(frozen=True)
class Mark:
    """One point: its name, its seeds' values, their mean and standard deviation, and its place on the axis.

    `published` are the numbers that others give for it, by who they are.
    """

    name: str
    values: tuple[float, ...]
    mean: float
    spread: float | None
    place: float | None = None
    published: Mapping[str, float] = field(default_factory=dict)
    is_unmixed: bool = False


def along(marks: Sequence[Mark], axis: str, shown: Quantity, *, logarithmic: bool, size: Size = WIDE) -> Figure:
    """Draw the points along their axis; no mixing is a line across with its spread."""
    unmixed = next((one for one in marks if one.is_unmixed), None)
    placed = sorted((one for one in marks if one.place is not None), key=lambda one: one.place or 0.0)
    with styled():
        drawn = figure(size, 3.4, _described(marks, shown))
        axes = drawn.subplots()
        places = [float(one.place or 0.0) for one in placed]
        if logarithmic:
            axes.set_xscale("log")
        _across(axes.axhline, axes.axhspan, unmixed, shown)
        for one, place in zip(placed, places, strict=True):
            axes.plot([place] * len(one.values), _scaled(one.values, shown), ".", color=BLUE, alpha=0.45, zorder=2)
        spreads = [shown.factor * (one.spread or 0.0) for one in placed]
        axes.errorbar(places, _scaled([one.mean for one in placed], shown), spreads, zorder=3, **_BARS)
        axes.xaxis.set_major_locator(FixedLocator(places))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel(f"{axis} (logarithmic)" if logarithmic else axis)
        axes.set_ylabel(shown.label)
        drawn.legend(handles=_handles(unmixed), loc="outside lower left", ncols=3 if size.columns > 1 else 2)
    return drawn


def rows(marks: Sequence[Mark], shown: Quantity, published: str = "", size: Size = WIDE) -> Figure:
    """Draw each point as a row, in a second panel what was `published` of it."""
    unmixed = next((one for one in marks if one.is_unmixed), None)
    whose = list(dict.fromkeys(name for one in marks for name in one.published))[:_MOST_COLUMNS]
    is_wide = size.columns > 1
    height = 0.9 + _ROW * len(marks) * (1 if is_wide or not whose else 2) + (0.25 if whose else 0.0)
    with styled():
        drawn = figure(size, max(2.2, height), _described(marks, shown))
        panels = 2 if whose else 1
        grid = drawn.subplots(*((1, panels) if is_wide else (panels, 1)), squeeze=False, sharey=is_wide)
        ours, *others = grid.flat
        _across(ours.axvline, ours.axvspan, unmixed, shown)
        for height_of, one in enumerate(marks):
            ours.plot(_scaled(one.values, shown), [height_of] * len(one.values), ".", color=BLUE, alpha=0.45, zorder=2)
            spread = shown.factor * (one.spread or 0.0)
            ours.errorbar([shown.factor * one.mean], [height_of], xerr=[spread], zorder=3, **_BARS)
        ours.set_xlabel(wrapped(shown.label, size, 0.45 if is_wide else 0.9))
        for axes in others:
            _published(axes, marks, whose, shown, wrapped(f"published: {published}", size, 0.35 if is_wide else 0.8))
        for axes in grid.flat:
            share = 0.45 if not is_wide or whose else 0.55
            labels = [shortened(one.name, size, share) for one in marks]
            axes.set_yticks(range(len(marks)), labels)
            axes.set_ylim(len(marks) - 0.5, -0.5)
        handles = [*_handles(unmixed), *(_handle(whose, name) for name in whose)]
        drawn.legend(handles=handles, loc="outside lower left", ncols=4 if is_wide else 2)
    return drawn


_BARS: dict[str, Any] = {"fmt": "o", "color": BLUE, "capsize": 3, "markersize": 5.5, "linewidth": 1.4}


def _published(axes: Axes, marks: Sequence[Mark], whose: Sequence[str], shown: Quantity, label: str) -> None:
    for height, one in enumerate(marks):
        for name in whose:
            if name in one.published:
                drawn = _handle(whose, name)
                style: dict[str, Any] = {"color": drawn.get_color(), "marker": drawn.get_marker(), "markersize": 5}
                axes.plot([shown.factor * one.published[name]], [height], linestyle="none", alpha=0.9, **style)
    axes.set_xlabel(f"{label}, {shown.unit}" if shown.unit else label)


def _handle(whose: Sequence[str], name: str) -> Line2D:
    index = whose.index(name)
    colour, marker = SERIES[index % len(SERIES)], MARKERS[(index + index // len(SERIES)) % len(MARKERS)]
    return Line2D([], [], color=colour, marker=marker, markersize=5, linestyle="none", label=f"by {name}")


def _across(line: Any, band: Any, unmixed: Mark | None, shown: Quantity) -> None:
    if unmixed is None:
        return
    line(shown.factor * unmixed.mean, color=INK, linewidth=1.2, linestyle=_DASHED, zorder=1)
    if unmixed.spread is not None:
        low, high = unmixed.mean - unmixed.spread, unmixed.mean + unmixed.spread
        band(shown.factor * low, shown.factor * high, color=GREY, alpha=0.15, linewidth=0, zorder=0)


def _scaled(values: Sequence[float], shown: Quantity) -> list[float]:
    return [shown.factor * value for value in values]


def _handles(unmixed: Mark | None) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=BLUE, marker="o", markersize=5.5, linewidth=1.4, label="mean, standard deviation"),
        Line2D([], [], color=BLUE, marker=".", linestyle="none", alpha=0.45, label="a seed"),
    ]
    if unmixed is not None:
        handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=_DASHED, label="no mixing"))
    return handles


def _described(marks: Sequence[Mark], shown: Quantity) -> str:
    said = [f"{one.name} {shown.text(one.mean, 2)}" for one in marks]
    return f"{shown.name}, means over the seeds: {'; '.join(said)}."
