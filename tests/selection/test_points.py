"""What is said in a sentence about the points of a grid."""

from __future__ import annotations

import pytest

from tuner.results import OverSeeds, TrialRecord, TrialState
from tuner.selection.points import Grid, GridPoint, in_short
from tuner.selection.statistics import Difference

INTERVALS = {"better": (0.01, 0.02), "worse": (-0.02, -0.01), "unclear": (-0.01, 0.01), "no interval": (None, None)}


def grid(*told, others="mixup"):
    """A baseline without mixing, and what is told of the others against it."""
    against = [Difference(3, len(told), 0.95, 0.0, 0.1, *INTERVALS[one]) for one in told]
    points = [GridPoint(point(0, "none"), None, None)]
    points += [GridPoint(point(number, others), None, one) for number, one in enumerate(against, start=1)]
    return Grid(tuple(points), None, None, ())


def point(number, method):
    trial = TrialRecord(number, TrialState.COMPLETE, "", {"mixing.name": method}, (0.5,), {}, 1)
    return OverSeeds((trial,))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["better", "worse"], "of 2 points 1 is better than no mixing and 1 is worse"),
        (["worse", "worse"], "of 2 points none is better than no mixing and 2 are worse"),
        (
            ["better", "better", "unclear", "unclear", "unclear"],
            "of 5 points 2 are better than no mixing and none is worse; 3 cannot be told from it",
        ),
        (
            ["unclear", "no interval"],
            "of 1 point none is better than no mixing and none is worse; 1 cannot be told from it",
        ),
        (["no interval"], ""),
        ([], ""),
    ],
)
def test_a_sentence_counts_the_points_that_an_interval_tells_of(told, words):
    assert in_short(grid(*told)) == words


def test_where_other_points_do_not_mix_either_the_baseline_is_told_from_them():
    words = "of 2 points 1 is better than the baseline without mixing and none is worse; 1 cannot be told from it"
    assert in_short(grid("better", "unclear", others="none")) == words
