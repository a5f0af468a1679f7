"""What a drawn figure shows, in data."""

from __future__ import annotations


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def texts(drawn):
    legends = [text.get_text() for legend in drawn.legends for text in legend.get_texts()]
    return legends + [text.get_text() for axes in drawn.axes for text in axes.texts]


def rendered(drawn):
    """Lay the figure out, as saving it would, and return it."""
    drawn.draw_without_rendering()
    return drawn
