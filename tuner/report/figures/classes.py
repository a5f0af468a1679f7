"""Which classes gain by mixing, and which lose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tuner.report.figures.style import BLUE, GREY, INK, RED, WIDE, Size, figure, shortened, styled

_MOST = 24


@dataclass(frozen=True)
class ClassChange:
    """One class: its accuracy with the policy less that without mixing, a share, with an interval where known."""

    name: str
    difference: float
    low: float | None = None
    high: float | None = None

    @property
    def is_sure(self) -> bool:
        """Tell whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    @property
    def is_open(self) -> bool:
        """Tell whether nothing points either way: there is no difference, or nothing to judge it by."""
        return self.difference == 0 or self.low is None or self.high is None


def classes(changes: Sequence[ClassChange], size: Size = WIDE) -> Figure:
    """Draw a line for each class, from the largest gain to the largest loss; of very many, both ends.

    An interval ends at 100 points, as no accuracy can differ by more.
    """
    ordered = sorted(changes, key=lambda one: (-one.difference, one.name))
    shown = ordered if len(ordered) <= _MOST else [*ordered[: _MOST // 2], *ordered[-_MOST // 2 :]]
    left_out = len(ordered) - len(shown)
    with styled():
        drawn = figure(size, 1.1 + 0.25 * (len(shown) + bool(left_out)), _described(ordered))
        axes = drawn.subplots()
        names, place = [], 0
        for index, one in enumerate(shown):
            if left_out and index == _MOST // 2:
                names.append((place, f"… {left_out} more between"))
                place += 1
            _line(axes, place, one)
            names.append((place, shortened(one.name, size, 0.35)))
            place += 1
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks([at for at, _ in names], [name for _, name in names])
        axes.set_ylim(place - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("accuracy against no mixing, points")
        drawn.legend(handles=_handles(shown), loc="outside lower left", ncols=3 if size.columns > 1 else 2)
    return drawn


def _line(axes: Axes, place: int, one: ClassChange) -> None:
    colour = GREY if one.is_open else BLUE if one.difference > 0 else RED
    marker = "D" if one.is_open else "o" if one.difference > 0 else "s"
    if one.low is not None and one.high is not None:
        ends = [100 * max(one.low, -1.0), 100 * min(one.high, 1.0)]
        axes.plot(ends, [place, place], color=colour, linewidth=1.6, alpha=0.5, zorder=2)
    face = colour if one.is_sure else "white"
    style: dict[str, Any] = {"markerfacecolor": face, "markeredgecolor": colour, "markersize": 6.5}
    axes.plot(100 * one.difference, place, marker, zorder=3, **style)


def _described(ordered: Sequence[ClassChange]) -> str:
    if not ordered:
        return "No class was measured."
    first, last = ordered[0], ordered[-1]
    gain = sum(one.is_sure and one.difference > 0 for one in ordered)
    lose = sum(one.is_sure and one.difference < 0 for one in ordered)
    others = "" if gain + lose == len(ordered) else "; the others may be luck"
    return (
        f"{gain} of {len(ordered)} classes surely gain and {lose} surely lose{others}. The highest: {first.name}, "
        f"{100 * first.difference:+.1f} points; the lowest: {last.name}, {100 * last.difference:+.1f} points."
    )


def _handles(shown: Sequence[ClassChange]) -> list[Line2D]:
    """Return what of this is drawn: a class is sure, may be luck, or points nowhere."""
    hollow: dict[str, Any] = {"markerfacecolor": "white", "linestyle": "none"}
    sure, unsure = ([one for one in shown if one.is_sure is is_sure and not one.is_open] for is_sure in (True, False))
    handles = []
    if any(one.difference > 0 for one in sure):
        handles.append(Line2D([], [], color=BLUE, marker="o", linestyle="none", label="gains"))
    if any(one.difference < 0 for one in sure):
        handles.append(Line2D([], [], color=RED, marker="s", linestyle="none", label="loses"))
    if any(one.difference > 0 for one in unsure):
        handles.append(Line2D([], [], marker="o", markeredgecolor=BLUE, label="higher, may be luck", **hollow))
    if any(one.difference < 0 for one in unsure):
        handles.append(Line2D([], [], marker="s", markeredgecolor=RED, label="lower, may be luck", **hollow))
    if any(one.is_open for one in shown):
        handles.append(Line2D([], [], marker="D", markeredgecolor=GREY, label="0, or unknown", **hollow))
    return handles
