"""How much each point's learning curves jitter from epoch to epoch, against no mixing on the same seeds.

    uv run python docs/articles/jitter.py articles-alpha-sweep

The jitter of a training is the standard deviation of what one epoch adds by luck: the root mean square of the curve's
second differences, which a straight trend does not touch, by the square root of 6. It leaves out the first third, where
the curve bends most. Each point is compared with no mixing as in a report: over the same seeds, the intervals holding
for all points at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tuner.report import words
from tuner.results import TrialRecord
from tuner.search import storage
from tuner.selection.points import Grid, grid_points


def jitter(curve: Sequence[float]) -> float:
    """Return the standard deviation of an epoch's luck, in the unit of the curve.

    Raises:
        ValueError: a curve of fewer than 4 epochs, which has no second difference after its first third.
    """
    if len(curve) < 4:
        raise ValueError(f"jitter needs curves of at least 4 epochs, got one of {len(curve)}; train for longer")
    second = np.diff(curve[len(curve) // 3 :], n=2)
    return float(np.sqrt(np.mean(second**2) / 6))


def jitters(trials: Sequence[TrialRecord]) -> Grid:
    """Return the points of a grid with the jitter of each curve as its value, less being better."""
    return grid_points([replace(trial, curve=(jitter(trial.curve),)) for trial in trials], maximise=False)


def main(study: str) -> None:
    """Print each point's jitter, and its excess over no mixing with the 95 % interval, in percentage points."""
    print("| point | jitter | more than no mixing | interval |\n| --- | ---: | ---: | ---: |")
    for point in jitters(storage.records(storage.load(study))).points:
        row = [words.policy(point.known.first.params), f"{100 * point.known.mean:.2f}", "", ""]
        told = point.against
        if told is not None and told.estimate is not None and told.low is not None and told.high is not None:
            row[2:] = [f"{-100 * told.estimate:+.2f}", f"{-100 * told.high:+.2f} to {-100 * told.low:+.2f}"]
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
