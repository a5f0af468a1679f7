"""All points of a grid against all: how much better the row is than the column, and which pairs are told apart."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from tuner.report.figures.style import BLUE, GREY, INK, ORANGE, WIDE, Quantity, Size, figure, shortened, styled
from tuner.selection.statistics import Difference

MOST = 16
"""Points of which all pairs are drawn; the numbers of more could not be read."""

_ROW = 0.3
_LABELS = 1.1
_FAINT_ALPHA = 0.45


def all_against_all(
    names: Sequence[str], pairs: Sequence[Sequence[Difference | None]], shown: Quantity, size: Size = WIDE
) -> Figure:
    """Draw the differences as a square; a pair has a colour where its interval leaves 0 out."""
    with styled():
        drawn = figure(size, _LABELS + _ROW * len(names), _described(names, pairs))
        axes = drawn.subplots()
        small = 8.0 if size.columns > 1 and len(names) <= MOST // 2 else 6.0
        for row, across in enumerate(pairs):
            for column, one in enumerate(across):
                if one is None or one.estimate is None:
                    continue
                told = one.is_better or one.is_worse
                if told:
                    corner = (column - 0.5, row - 0.5)
                    colour = BLUE if one.is_better else ORANGE
                    axes.add_patch(Rectangle(corner, 1, 1, color=colour, alpha=_FAINT_ALPHA, linewidth=0))
                text, ink = _short(shown.factor * one.estimate, shown), INK if told else GREY
                axes.text(column, row, text, ha="center", va="center", fontsize=small, color=ink)
        numbered = [f"{shortened(name, size, 0.4)}  {at + 1}" for at, name in enumerate(names)]
        axes.set_yticks(range(len(names)), numbered)
        axes.set_xticks(range(len(names)), [str(at + 1) for at in range(len(names))])
        axes.xaxis.tick_top()
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        handles = [
            Patch(color=BLUE, alpha=_FAINT_ALPHA, linewidth=0, label="row better than column"),
            Patch(color=ORANGE, alpha=_FAINT_ALPHA, linewidth=0, label="row worse"),
        ]
        drawn.legend(handles=handles, loc="outside lower left", ncols=2)
    return drawn


def _short(value: float, shown: Quantity) -> str:
    return f"{value:+.1f}" if shown.factor != 1 else f"{value:+.3g}"


def _described(names: Sequence[str], pairs: Sequence[Sequence[Difference | None]]) -> str:
    said = []
    for name, across in zip(names, pairs, strict=True):
        beaten = [names[at] for at, one in enumerate(across) if one is not None and one.is_better]
        if beaten:
            said.append(f"{name} is better than {'; '.join(beaten)}.")
    return f"All against all. {' '.join(said) or 'No two points are told apart.'}"
