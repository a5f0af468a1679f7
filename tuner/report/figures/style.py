"""What all figures share: sizes, colours, axes, and how an objective is written."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, INK, GREY, FAINT = "#cc79a7", "#56b4e9", "#1f2328", "#6e7781", "#d0d7de"
"""Okabe and Ito's colours, which colour-blind readers tell apart, and what is not data."""

SERIES = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")
"""Methods differ in both: the colours alone run out, or are printed in grey."""

_SETTINGS: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.labelsize": 9.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eaeef2",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.4,
    "figure.facecolor": "white",
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "svg.fonttype": "none",
    "text.parse_math": False,  # names come from the study, and in theirs a $ is a $
}


@dataclass(frozen=True)
class Size:
    """How wide a figure is, in inches, and how many panels stand side by side; type is as large in every size."""

    width: float
    columns: int


WIDE, NARROW = Size(6.8, 2), Size(3.7, 1)
"""For a column of text on a screen, and for a phone held upright."""


@dataclass(frozen=True)
class Quantity:
    """What an axis shows: its name, its unit, and the factor from a record's value to that unit."""

    name: str
    unit: str = ""
    factor: float = 1.0

    @property
    def label(self) -> str:
        """Return what stands beside the axis."""
        return f"{self.name}, {self.unit}" if self.unit else self.name

    def text(self, value: float, digits: int = 1) -> str:
        """Return a value with its unit."""
        digits = digits if self.factor == 100 else digits + 2
        return f"{self.factor * value:.{digits}f}{f' {self.unit}' if self.unit else ''}"


_SPLITS = {"val": "Validation", "test": "Test", "train": "Training"}
_QUANTITIES = {
    "accuracy": ("accuracy", "%", 100.0),
    "ece": ("calibration error", "%", 100.0),
    "nll": ("negative log-likelihood", "nats", 1.0),
    "rmse": ("root mean squared error", "", 1.0),
    "mae": ("mean absolute error", "", 1.0),
    "r2": ("R²", "", 1.0),
    "loss": ("loss", "", 1.0),
}


def quantity(metric: str) -> Quantity:
    """Return how a metric is shown, for example `val_accuracy` in per cent."""
    split, _, name = metric.rpartition("_")
    if name not in _QUANTITIES:
        return Quantity(metric)
    words, unit, factor = _QUANTITIES[name]
    return Quantity(f"{_SPLITS[split]} {words}" if split in _SPLITS else words.capitalize(), unit, factor)


@contextmanager
def styled() -> Iterator[None]:
    """Draw in this style, and leave matplotlib's settings as they were."""
    with mpl.rc_context(_SETTINGS):
        yield


def figure(size: Size, height: float, description: str) -> Figure:
    """Return an empty figure; `description` is what a reader hears who cannot see it."""
    made = Figure(figsize=(size.width, height), layout="constrained")
    made.set_label(description)
    return made


def logarithmic(axes: Axes, low: float, high: float, name: str) -> None:
    """Give the axes a logarithmic x axis that reads 0.1 0.2 0.5 1 2 5."""
    axes.set_xscale("log")
    room = (high / low) ** 0.03
    axes.set_xlim(low / room, high * room)
    steps = [float(f"{digit}e{power}") for power in range(-9, 10) for digit in (1, 2, 5)]
    axes.xaxis.set_major_locator(FixedLocator([step for step in steps if low / room <= step <= high * room]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel(f"{name} (logarithmic)")


def counting(axes: Axes) -> None:
    """Give the axes an x axis of whole numbers."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def series(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return a colour and a marker for each name, the same for the same names in any order; no mixing is grey."""
    own = sorted(set(names) - {"none"})
    found = {name: (SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)]) for index, name in enumerate(own)}
    return {**found, "none": (GREY, "X")}


def wrapped(text: str, size: Size, share: float = 1.0) -> str:
    """Return text in lines that fit into a share of the figure's width."""
    return textwrap.fill(text, max(16, int(share * size.width * 12)))


def shortened(text: str, size: Size, share: float = 1.0) -> str:
    """Return text as one line that fits into a share of the figure's width: of a long one, both ends."""
    line, most = " ".join(text.split()), max(12, int(share * size.width * 12))
    if len(line) <= most:
        return line
    end = most // 3
    return f"{line[: most - end - 1]}…{line[-end:]}"
