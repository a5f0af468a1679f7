"""Parallel coordinates, one line a trial from parameter to parameter, down to the objective that it reached.

Parameters lie below each other, not side by side: so they fit a phone, and their names can be read. A parameter that a
trial does not have (alpha, where nothing is mixed) is a dot before the beginning of its line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tuner.report.figures.style import FAINT, GREY, RED, WIDE, Quantity, Size, figure, styled
from tuner.results import TrialRecord, TrialState

_MOST = 9
_ABSENT = -0.09
_ROW = 0.55
_FIRST = ("mixing.name", "mixing.ratio.name", "mixing.ratio.alpha", "mixing.ratio.sigma", "mixing.ratio.gamma")
_TITLES = {"name": "method", "ratio, name": "distribution", "ratio, count": "N"}
_COLOURS = mpl.colormaps["cividis"]

_HALO: dict[str, Any] = {
    "textcoords": "offset points",
    "fontsize": 8,
    "zorder": 6,
    "bbox": {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.6},
}


@dataclass(frozen=True)
class _Row:
    """One parameter: where its values stand, from 0 to 1, and its marks."""

    name: str
    places: dict[int, float]
    marks: tuple[tuple[float, str], ...]


def parallel(trials: Sequence[TrialRecord], shown: Quantity, *, maximise: bool, size: Size = WIDE) -> Figure:
    """Draw the trials that ran to the end, coloured by their objective, over those that were stopped, in grey."""
    complete = sorted((one for one in trials if one.state is TrialState.COMPLETE), key=lambda one: one.number)
    stopped = [one for one in trials if one.state is TrialState.PRUNED]
    names = sorted(_searched([*complete, *stopped]), key=_order)[:_MOST]
    rows = [_row(name, [*complete, *stopped]) for name in names]
    objective = _objective(complete, shown)
    best = (max if maximise else min)(complete, key=lambda one: one.curve[-1], default=None)
    with styled():
        drawn = figure(size, 0.9 + _ROW * (len(rows) + 1), _described(best, names, shown))
        axes = drawn.subplots()
        axes.axis("off")
        axes.set_xlim(-0.13, 1.03)
        axes.set_ylim(len(rows) + 0.35, -0.5)
        for height, row in enumerate([*rows, objective]):
            _scale(axes, height, row)
        _bar(axes, len(rows))
        for one in stopped:
            _line(axes, [row.places.get(one.number, _ABSENT) for row in rows], GREY, 0.7, 0.25)
        for one in sorted(complete, key=lambda one: one.curve[-1], reverse=not maximise):
            end = objective.places[one.number]
            _line(axes, [*(row.places.get(one.number, _ABSENT) for row in rows), end], _COLOURS(end), 1.3, 0.9)
        if best is not None:
            ends = [*(row.places.get(best.number, _ABSENT) for row in rows), objective.places[best.number]]
            _line(axes, ends, RED, 2.4, 1.0)
        drawn.legend(handles=_handles(best, stopped), loc="outside lower left", ncols=3 if size.columns > 1 else 2)
    return drawn


def _searched(trials: Sequence[TrialRecord]) -> list[str]:
    """Return the parameters that have several values; one that a trial only has or has not follows from its method."""
    names = {name for one in trials for name in one.params}
    given = {name: {_text(one.params[name]) for one in trials if one.params.get(name) is not None} for name in names}
    return [name for name, values in given.items() if len(values) > 1]


def _row(name: str, trials: Sequence[TrialRecord]) -> _Row:
    given = {one.number: one.params[name] for one in trials if one.params.get(name) is not None}
    title = name.removeprefix("mixing.").removeprefix("training.").replace("_", " ").replace(".", ", ")
    title = _TITLES.get(title, title.removeprefix("ratio, "))
    numbers = [value for value in given.values() if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(given) and len(set(numbers)) > 5:
        return _numeric(title, given)
    keys = sorted({_text(value) for value in given.values()}, key=_size)
    place = {key: (index + 0.5) / len(keys) for index, key in enumerate(keys)}
    beside = {number: place[_text(value)] + _aside(number) for number, value in given.items()}
    return _Row(title, beside, tuple((place[key], key) for key in keys))


def _numeric(title: str, given: dict[int, Any]) -> _Row:
    """Return a row of numbers, on a logarithmic scale where they span a factor of ten."""
    low, high = min(given.values()), max(given.values())
    is_log = low > 0 and high >= 10 * low
    scale = math.log if is_log else float
    span = scale(high) - scale(low)
    steps = [float(f"{digit}e{power}") for power in range(-9, 10) for digit in (1, 2, 5)]
    marks = [step for step in steps if low <= step <= high] if is_log else np.linspace(low, high, 5).tolist()
    places = {number: (scale(value) - scale(low)) / span for number, value in given.items()}
    return _Row(title, places, tuple(((scale(mark) - scale(low)) / span, f"{mark:.3g}") for mark in marks))


def _objective(complete: Sequence[TrialRecord], shown: Quantity) -> _Row:
    values = {one.number: shown.factor * one.curve[-1] for one in complete}
    low, high = min(values.values(), default=0.0), max(values.values(), default=1.0)
    span = (high - low) or 1.0
    marks = np.linspace(low, high, 4).tolist() if high > low else [low]
    places = {number: (value - low) / span for number, value in values.items()}
    return _Row(shown.label, places, tuple(((mark - low) / span, f"{mark:.4g}") for mark in marks))


def _scale(axes: Axes, height: int, row: _Row) -> None:
    axes.plot([0, 1], [height, height], color=FAINT, linewidth=1, zorder=1)
    axes.annotate(row.name, (0, height), (0, 5), fontweight="bold", **_HALO)
    for place, words in row.marks:
        axes.plot(place, height, "|", color=GREY, markersize=5, zorder=1)
        axes.annotate(words, (place, height), (0, -5), ha="center", va="top", **_HALO)


def _bar(axes: Axes, height: int) -> None:
    """Colour the objective's line as the trials are that end on it."""
    ends = np.linspace(0, 1, 41)
    pieces = [[(end, height), (1, height)] for end in ends]  # each over the last, so that no gaps show between them
    axes.add_collection(LineCollection(pieces, colors=_COLOURS(ends), linewidths=5, zorder=1))


def _line(axes: Axes, places: Sequence[float], colour: Any, width: float, alpha: float) -> None:
    axes.plot(places, range(len(places)), color=colour, linewidth=width, alpha=alpha, zorder=2 + width)


def _handles(best: TrialRecord | None, stopped: Sequence[TrialRecord]) -> list[Line2D]:
    handles = [Line2D([], [], color=_COLOURS(0.75), linewidth=1.6, label="ran to the end")]
    if stopped:
        handles.append(Line2D([], [], color=GREY, linewidth=0.8, alpha=0.6, label="stopped"))
    if best is not None:
        handles.append(Line2D([], [], color=RED, linewidth=2.4, label=f"best, trial {best.number}"))
    return handles


def _described(best: TrialRecord | None, names: Sequence[str], shown: Quantity) -> str:
    if best is None:
        return "No trial ran to the end."
    given = ", ".join(f"{name} {_text(best.params[name])}" for name in names if best.params.get(name) is not None)
    value = shown.text(best.curve[-1])
    return f"The best of the trials that ran to the end, trial {best.number} with {value}, has {given}."


def _order(name: str) -> tuple[int, str]:
    return (_FIRST.index(name) if name in _FIRST else len(_FIRST)), name


def _aside(number: int) -> float:
    """Return a little shift that is the trial's own, so that equal values do not lie on one another."""
    return ((number * 0.618034) % 1 - 0.5) * 0.03


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return value if isinstance(value, str) else json.dumps(value)


def _size(key: str) -> tuple[float, int, str]:
    """Return what sorts values: numbers by size, lists by their first number and length, names by the alphabet."""
    try:
        return float(key.strip("[]").partition(",")[0]), len(key), key
    except ValueError:
        return math.inf, 0, key
