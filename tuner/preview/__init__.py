"""What mixing looks like: mixed images with their targets, as values and as a picture."""

from tuner.preview.rows import Row, configurations, grouped, rows
from tuner.preview.sheet import draw

__all__ = ["Row", "configurations", "draw", "grouped", "rows"]
