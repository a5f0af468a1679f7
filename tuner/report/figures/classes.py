"""Which classes gain by mixing, and which lose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tuner.report.figures.style import BLUE, GREY, INK, RED, WIDE, Size, figure, styled

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


def classes(changes: Sequence[ClassChange], size: Size = WIDE) -> Figure:
    """Draw a line for each class, from the largest gain to the largest loss; of very many, both ends."""
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
            names.append((place, one.name))
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
    colour = BLUE if one.difference >= 0 else RED
    marker = "o" if one.difference >= 0 else "s"
    if one.low is not None and one.high is not None:
        axes.plot([100 * one.low, 100 * one.high], [place, place], color=colour, linewidth=1.6, alpha=0.5, zorder=2)
    face = colour if one.is_sure or one.low is None else "white"
    style: dict[str, Any] = {"markerfacecolor": face, "markeredgecolor": colour, "markersize": 6.5}
    axes.plot(100 * one.difference, place, marker, zorder=3, **style)


def _described(ordered: Sequence[ClassChange]) -> str:
    if not ordered:
        return "No class was measured."
    first, last = ordered[0], ordered[-1]
    gained = sum(one.difference > 0 for one in ordered)
    return (
        f"{gained} of {len(ordered)} classes gain. The most: {first.name}, {100 * first.difference:+.1f} points; "
        f"the least: {last.name}, {100 * last.difference:+.1f} points."
    )


def _handles(shown: Sequence[ClassChange]) -> list[Line2D]:
    handles = [
        Line2D([], [], color=BLUE, marker="o", linestyle="none", label="gains"),
        Line2D([], [], color=RED, marker="s", linestyle="none", label="loses"),
    ]
    if any(one.low is not None and not one.is_sure for one in shown):
        hollow: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": GREY, "linestyle": "none"}
        handles.append(Line2D([], [], marker="o", label="hollow: may be luck", **hollow))
    return handles
