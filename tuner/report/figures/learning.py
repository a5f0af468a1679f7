"""Learning curves: how the objective rose in each trial, which were stopped, and where."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tuner.report.figures.style import (
    GREY,
    INK,
    NARROW,
    WIDE,
    Quantity,
    Size,
    counting,
    figure,
    series,
    shortened,
    styled,
)
from tuner.results import TrialRecord, TrialState

_SHOWN_FROM = 0.2
"""The part of the epochs whose values need not fit: the first ones are so far off that the rest would be a line."""


def learning(trials: Sequence[TrialRecord], rungs: Sequence[int], shown: Quantity, size: Size = WIDE) -> Figure:
    """Draw a curve for each trial: those that ran to the end full, stopped ones light, each ending in a cross."""
    drawn_trials = sorted((one for one in trials if one.curve), key=lambda one: (_is_complete(one), one.number))
    colours = series([_method(one) for one in drawn_trials])
    complete = sum(map(_is_complete, drawn_trials))
    stopped = sum(one.state is TrialState.PRUNED for one in drawn_trials)
    counts = f"{complete} trials that ran to the end and {stopped} that were stopped"
    with styled():
        drawn = figure(size, 3.7 if size.columns > 1 else 3.9, f"{shown.name} after each epoch, of {counts}.")
        axes = drawn.subplots()
        for one in drawn_trials:
            _curve(axes, one, colours[_method(one)][0], shown)
        axes.set_ylim(*_limits(drawn_trials, shown))
        epochs = max((one.epochs for one in drawn_trials), default=1)
        axes.set_xlim(min(1, epochs - 1), epochs + 0.02 * epochs)
        counting(axes)
        _rungs(axes, [rung for rung in rungs if rung < epochs])
        axes.set_xlabel("epoch")
        axes.set_ylabel(shown.label)
        methods = sorted({_method(one) for one in drawn_trials}, key=lambda name: (name == "none", name))
        handles = [_handle(name, colours[name][0]) for name in methods]
        light = Line2D([], [], color=GREY, linewidth=0.9, alpha=0.6, marker="x", markersize=4, label="stopped")
        drawn.legend(handles=[*handles, light], loc="outside lower left", ncols=5 if size.columns > 1 else 3)
    return drawn


def _curve(axes: Axes, one: TrialRecord, colour: str, shown: Quantity) -> None:
    epochs, values = range(1, one.epochs + 1), [shown.factor * value for value in one.curve]
    if _is_complete(one):
        line = _handle(_method(one), colour)
        axes.plot(epochs, values, line.get_linestyle(), color=line.get_color(), linewidth=1.6, zorder=line.get_zorder())
        return
    axes.plot(epochs, values, color=colour, linewidth=0.9, alpha=0.4, zorder=2)
    axes.plot(epochs[-1:], values[-1:], "x", color=colour, markersize=4, alpha=0.8, zorder=2)


def _handle(method: str, colour: str) -> Line2D:
    """Return how a method's trials are drawn that ran to the end."""
    if method == "none":
        return Line2D([], [], color=INK, linewidth=1.6, linestyle="--", zorder=4, label="no mixing")
    return Line2D([], [], color=colour, linewidth=1.6, zorder=3, label=shortened(method, NARROW, 0.5))


def _rungs(axes: Axes, rungs: Sequence[int]) -> None:
    for index, rung in enumerate(rungs):
        axes.axvline(rung, color=GREY, linewidth=0.9, linestyle=":", zorder=1)
        words = f"rung {rung}" if index == 0 else f"{rung}"
        top = axes.get_xaxis_transform()
        axes.annotate(words, (rung, 1), (0, 3), xycoords=top, textcoords="offset points", ha="center", color=GREY)


def _limits(trials: Sequence[TrialRecord], shown: Quantity) -> tuple[float, float]:
    """Return the ends of the objective's axis: every value but those of the first epochs."""
    epochs = max((one.epochs for one in trials), default=1)
    first = int(_SHOWN_FROM * epochs)
    values = [value for one in trials for value in one.curve[first:] or one.curve[-1:]]
    low, high = shown.factor * min(values, default=0.0), shown.factor * max(values, default=1.0)
    room = 0.05 * (high - low) or abs(high) * 0.01 or 1.0
    return low - room, high + room


def _method(trial: TrialRecord) -> str:
    return str(trial.params.get("mixing.name") or trial.params.get("mixing.import"))


def _is_complete(trial: TrialRecord) -> bool:
    return trial.state is TrialState.COMPLETE
