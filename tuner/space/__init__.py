"""The search space: a trial's own configuration with some leaves replaced by domains, drawn by Optuna.

`parse` reads the template, `suggest` draws a plain configuration with an Optuna trial, `parameters_of` is its
inverse, `corners` are the configurations that together show every branch and every end of every range.
"""

from tuner.space.corners import Corner, corners
from tuner.space.draw import Trial, suggest
from tuner.space.grid import count_points, grid
from tuner.space.inverse import parameters_of, spoken_of
from tuner.space.middle import at_middle, middle
from tuner.space.nodes import (
    AnyOf,
    Choice,
    Constant,
    Domain,
    Items,
    Node,
    Range,
    Section,
    domains,
    is_searchable,
    leaves,
)
from tuner.space.parse import parse, read, warnings

__all__ = [
    "AnyOf",
    "Choice",
    "Constant",
    "Corner",
    "Domain",
    "Items",
    "Node",
    "Range",
    "Section",
    "Trial",
    "at_middle",
    "corners",
    "count_points",
    "domains",
    "grid",
    "is_searchable",
    "leaves",
    "middle",
    "parameters_of",
    "parse",
    "read",
    "spoken_of",
    "suggest",
    "warnings",
]
