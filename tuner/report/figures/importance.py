"""How much each searched parameter matters, as bars, against what luck would make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tuner.report.figures.style import BLUE, INK, SKY, WIDE, Size, figure, styled, wrapped

_MOST = 12
_CLEAR: dict[str, Any] = {"color": BLUE}
_PALE: dict[str, Any] = {"facecolor": "#e6f2fa", "edgecolor": SKY, "hatch": "////"}


@dataclass(frozen=True)
class Bar:
    """A parameter's share of all importance, and the share that luck alone would give it."""

    parameter: str
    share: float
    by_chance: float


def importances(bars: Sequence[Bar], size: Size = WIDE) -> Figure:
    """Draw the parameters from the top on: full where they matter more than luck would, else pale and hatched."""
    shown = list(bars[:_MOST])
    clear = [one for one in shown if one.share > one.by_chance]
    names = ", ".join(f"{readable(one.parameter)} {100 * one.share:.0f} %" for one in clear)
    described = f"Parameters that matter more than luck would make it seem: {names or 'none'}."
    with styled():
        labels = [wrapped(readable(one.parameter), size, 0.42) for one in shown]
        lines = sum(1 + label.count("\n") for label in labels)
        drawn = figure(size, 1.0 + 0.18 * len(shown) + 0.17 * lines, described)
        axes = drawn.subplots()
        lower_half = sorted(one.by_chance for one in shown)[: len(shown) // 2]
        limit = min(1.0, 1.2 * max([0.1, *(one.share for one in shown), *lower_half]))
        for place, one in enumerate(shown):
            style = _CLEAR if one in clear else _PALE
            axes.barh(place, 100 * one.share, height=0.6, linewidth=0.8, **style)
            _luck(axes, place, one, limit)
        axes.set_yticks(range(len(shown)), labels)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_xlim(0, 100 * limit)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("share of all importance, %")
        handles = _handles(len(clear) < len(shown), bool(clear))
        drawn.legend(handles=handles, loc="outside lower left", ncols=size.columns + 1)
    return drawn


def _luck(axes: Axes, place: int, one: Bar, limit: float) -> None:
    """Mark what luck reaches, with an arrow where that is beyond the axis."""
    if one.by_chance <= limit:
        axes.plot([100 * one.by_chance] * 2, [place - 0.4, place + 0.4], color=INK, linewidth=1.6, zorder=4)
    else:
        axes.plot(98 * limit, place, ">", color=INK, markersize=5, zorder=4)


def readable(parameter: str) -> str:
    """Return a parameter of Optuna's as people say it: `mixing.mixup.ratio.beta.alpha` is `mixup, beta: alpha`."""
    steps = [step for step in parameter.replace("_", " ").split(".") if step not in ("training", "mixing", "ratio")]
    if parameter == "mixing":
        return "method"
    if parameter.endswith(".ratio"):
        steps.append("distribution")
    *owners, last = steps or [parameter]
    return f"{', '.join(owners)}: {last}" if owners else last


def _handles(any_unclear: bool, any_clear: bool) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = []
    if any_clear:
        handles.append(Patch(label="more than luck", **_CLEAR))
    if any_unclear:
        handles.append(Patch(label="may be luck", **_PALE))
    return [*handles, Line2D([], [], color=INK, linewidth=1.6, label="what luck reaches")]
