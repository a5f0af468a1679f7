"""Draw rows of mixed images as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tuner.preview.rows import Row

_BLUE = "#0072b2"  # of Okabe and Ito's colours, which colour-blind readers tell apart
_CELL, _ROW = 1.0, 1.42
_TITLE_WIDTH, _HISTOGRAM_WIDTH = 1.75, 1.9
_LONGEST_CLASS = 13


def draw(rows: Sequence[Row], to: Path | BinaryIO, heading: str) -> None:
    """Write a sheet as PNG: a row for each method, its images with their targets, and the law of the own share.

    Raises:
        OSError: the file cannot be written.
    """
    shown = len(rows[0].images)
    widths = [_TITLE_WIDTH, *[_CELL] * shown, _HISTOGRAM_WIDTH]
    figure = Figure(figsize=(sum(widths), _ROW * len(rows) + 0.7), dpi=110, layout="constrained")
    figure.suptitle(heading, x=0.01, ha="left", fontsize=11)
    grid = figure.subplots(len(rows), len(widths), width_ratios=widths, squeeze=False)
    for axes, row in zip(grid, rows, strict=True):
        _title(axes[0], row)
        for place, image, target in zip(axes[1:-1], row.images, row.targets, strict=True):
            _image(place, image, target)
        _histogram(axes[-1], row)
    grid[-1][-1].set_xlabel("example's own share (or largest)", fontsize=7)
    figure.savefig(to, format="png", facecolor="white")


def _title(axes: Axes, row: Row) -> None:
    axes.axis("off")
    axes.text(0, 0.95, row.name, fontsize=11, fontweight="bold", va="top", transform=axes.transAxes)
    words = f"{row.whose} share {row.shares.mean():.2f} on average\ntarget entropy {row.entropy:.2f} nats"
    if row.note:
        words += "\n" + row.note.replace("; ", "\n")
    axes.text(0, 0.72, words, fontsize=7, va="top", transform=axes.transAxes, linespacing=1.5)


def _image(axes: Axes, image: np.ndarray, target: str) -> None:
    axes.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
    lines = (
        line if len(line) <= _LONGEST_CLASS + 3 else line[: _LONGEST_CLASS + 2] + "…" for line in target.split("\n")
    )
    axes.set_xlabel("\n".join(lines), fontsize=6.5, labelpad=2)


def _histogram(axes: Axes, row: Row) -> None:
    axes.hist(row.shares, bins=np.linspace(0, 1, 21).tolist(), color=_BLUE)
    axes.set_xlim(0, 1)
    axes.set_yticks([])
    axes.set_xticks([0, 0.5, 1])
    axes.tick_params(labelsize=6)
    axes.spines[["top", "right", "left"]].set_visible(False)
