"""The finalists' fresh seeds, each joined with no mixing's on the same seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tuner.report.figures.style import BLUE, GREY, INK, RED, WIDE, Quantity, Size, figure, styled, wrapped

_PANEL = 2.5


@dataclass(frozen=True)
class Finalist:
    """One finalist's scores by seed, none where its training failed, and in words what they say of it."""

    name: str
    scores: Mapping[int, float | None]
    words: str = ""


def seeds(
    finalists: Sequence[Finalist],
    unmixed: Mapping[int, float | None],
    shown: Quantity,
    *,
    maximise: bool,
    size: Size = WIDE,
) -> Figure:
    """Draw a panel for each finalist: no mixing's seeds on the left, its own on the right, pairs joined.

    A pair that is better with mixing is a full blue line, one that is worse a broken red one; bars are means.
    """
    columns = min(size.columns + 1, len(finalists))
    rows = math.ceil(len(finalists) / columns)
    pairs = [_pairs(one, unmixed, shown) for one in finalists]
    better = [sum((after > before) == maximise and after != before for before, after in own) for own in pairs]
    words = [
        f"{one.name}: better than no mixing on {wins} of {len(own)} seeds. {one.words}".strip()
        for one, own, wins in zip(finalists, pairs, better, strict=True)
    ]
    with styled():
        drawn = figure(size, 0.7 + _PANEL * rows, " ".join(words))
        grid = drawn.subplots(rows, columns, sharey=True, squeeze=False)
        panels = list(grid.flat)
        for axes, one, own in zip(panels, finalists, pairs, strict=False):
            _panel(axes, own, maximise)
            axes.set_title(wrapped(one.name, size, 0.9 / columns), fontweight="bold")
            axes.set_xlabel(wrapped(one.words, size, 0.95 / columns), color=GREY)
        for axes in panels[len(finalists) :]:
            axes.set_visible(False)
        for row in grid:
            row[0].set_ylabel(shown.label)
        drawn.legend(handles=_handles(), loc="outside lower left", ncols=3 if size.columns > 1 else 2)
    return drawn


def _pairs(one: Finalist, unmixed: Mapping[int, float | None], shown: Quantity) -> list[tuple[float, float]]:
    found = ((unmixed.get(seed), score) for seed, score in sorted(one.scores.items()))
    return [
        (shown.factor * before, shown.factor * after)
        for before, after in found
        if before is not None and after is not None
    ]


def _panel(axes: Axes, pairs: Sequence[tuple[float, float]], maximise: bool) -> None:
    dashed: Any = (0, (4, 2))
    axes.set_xlim(-0.35, 1.35)
    axes.set_xticks([0, 1], ["no mixing", "mixed"])
    axes.grid(visible=False, axis="x")
    for before, after in pairs:
        is_better = after == before or (after > before) == maximise
        colour, dashes = (BLUE, "-") if is_better else (RED, dashed)
        axes.plot([0, 1], [before, after], color=colour, linestyle=dashes, linewidth=1.1, marker="o", markersize=5)
    for place in (0, 1):
        if pairs:
            mean = statistics.fmean(pair[place] for pair in pairs)
            axes.plot([place - 0.2, place + 0.2], [mean, mean], color=INK, linewidth=2.5, solid_capstyle="round")


def _handles() -> list[Line2D]:
    dot: dict[str, Any] = {"marker": "o", "markersize": 5, "linewidth": 1.1}
    return [
        Line2D([], [], color=BLUE, label="a seed, better", **dot),
        Line2D([], [], color=RED, linestyle=(0, (4, 2)), label="a seed, worse", **dot),
        Line2D([], [], color=INK, linewidth=2.5, label="mean"),
    ]
