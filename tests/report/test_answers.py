"""The figures of the answer show the data that they are given: the curve over alpha, and the finalists' seeds."""

from __future__ import annotations

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from tests.report.drawing import lines, rendered, texts
from tuner.report.figures.response import Reference, responses
from tuner.report.figures.seeds import Finalist, seeds
from tuner.report.figures.style import quantity
from tuner.selection.answer import Curve, Point, Response

ACCURACY = quantity("val_accuracy")
VALUES = (0.05, 0.5, 8.0)
FOUND = Response(
    "mixup",
    "beta",
    "alpha",
    (0.05, 8.0),
    (
        Point(0, 0.1, 0.86, 27, True),
        Point(1, 1.0, 0.87, 27, True),
        Point(2, 2.0, 0.868, 9, False),
        Point(3, 4.0, 0.70, 3, False),
    ),
    Curve(VALUES, (0.86, 0.87, 0.86), (0.85, 0.865, 0.84), (0.865, 0.875, 0.88)),
    0.5,
    (0.2, 2.0),
    0.002,
    (),
    "mixup (beta): alpha from 0.2 to 2 is as good as the best, 0.5",
)


def test_points_that_ran_to_the_end_are_full_and_stopped_ones_hollow(size):
    [axes] = rendered(responses([FOUND], ACCURACY, size=size)).axes
    found = lines(axes)
    assert np.allclose(found["complete"].get_xydata(), [[0.1, 86], [1.0, 87]])
    assert np.allclose(found["stopped"].get_xydata(), [[2.0, 86.8]])
    assert found["stopped"].get_markerfacecolor() == "white"


def test_a_stopped_trial_far_below_neither_stretches_the_axis_nor_is_lost():
    [axes] = responses([FOUND], ACCURACY).axes
    low, high = axes.get_ylim()
    assert (low, high) == (pytest.approx(83.76), pytest.approx(88.24))
    assert np.allclose(lines(axes)["stopped below"].get_xydata(), [[4.0, low]])


def test_the_interval_and_the_best_are_said(size):
    drawn = rendered(responses([FOUND], ACCURACY, size=size))
    assert "as good as the best: alpha 0.2 to 2" in texts(drawn)
    assert drawn.get_label() == f"{FOUND.words}."


def test_the_curve_is_broken_beyond_the_trials_that_ran_to_the_end():
    [axes] = responses([FOUND], ACCURACY).axes
    broken = [line.get_xdata() for line in axes.lines if line.get_linestyle() == ":"]
    assert [(min(xs), max(xs)) for xs in broken] == [(0.05, 0.5), (0.5, 8.0)]
    assert "none ran to the end" in texts(axes.figure)


def test_no_mixing_is_a_line_with_its_interval():
    [axes] = responses([FOUND], ACCURACY, Reference(0.865, 0.863, 0.867)).axes
    level = [line for line in axes.lines if line.get_linestyle() == "--" and len(set(line.get_ydata())) == 1]
    assert [line.get_ydata()[0] for line in level] == [pytest.approx(86.5)]
    assert "no mixing" in texts(axes.figure)


def test_panels_share_the_objective_s_axis(size):
    other = replace(FOUND, method="cutmix", points=(Point(5, 1.0, 0.60, 27, True),), curve=None, interval=None)
    drawn = rendered(responses([FOUND, other], ACCURACY, size=size))
    assert drawn.axes[0].get_ylim() == drawn.axes[1].get_ylim()
    assert drawn.axes[0].get_ylim()[0] < 60
    assert "too few trials ran to the end for a curve" in texts(drawn)
    assert [axes.get_title(loc="left") for axes in drawn.axes] == ["mixup, beta", "cutmix, beta"]


def test_a_whole_range_is_not_shaded_as_if_it_were_found():
    [axes] = responses([replace(FOUND, interval=FOUND.searched)], ACCURACY).axes
    assert "no alpha can be told from the best" in texts(axes.figure)
    assert not axes.patches


def test_each_seed_is_joined_with_no_mixing_s(size):
    unmixed = {100: 0.86, 101: 0.85, 102: 0.87}
    better = Finalist("mixup (trial 3)", {100: 0.87, 101: 0.86, 102: None}, "+1.00 points")
    worse = Finalist("cutmix (trial 4)", {100: 0.85, 103: 0.99})
    drawn = rendered(seeds([better, worse], unmixed, ACCURACY, maximise=True, size=size))
    pairs = [line.get_ydata().tolist() for line in drawn.axes[0].lines if line.get_marker() == "o"]
    assert np.allclose(pairs, [[86, 87], [85, 86]])
    assert [line.get_linestyle() for line in drawn.axes[1].lines if line.get_marker() == "o"] == ["--"]
    assert drawn.get_label().startswith("mixup (trial 3): better than no mixing on 2 of 2 seeds. +1.00 points")


def test_smaller_is_better_where_the_metric_says_so():
    one = Finalist("mixup", {1: 0.4})
    drawn = seeds([one], {1: 0.5}, quantity("val_nll"), maximise=False)
    assert "better than no mixing on 1 of 1 seeds" in drawn.get_label()


def test_finalists_without_seeds_are_drawn_empty():
    assert len(rendered(seeds([Finalist("mixup", {})], {}, ACCURACY, maximise=True)).axes[0].lines) == 0


def test_matplotlib_s_settings_are_left_as_they_were():
    before = dict(mpl.rcParams)
    responses([FOUND], ACCURACY)
    assert dict(mpl.rcParams) == before
