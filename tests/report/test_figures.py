"""The other figures show the data that they are given: by their points, limits and words, not by their pixels."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from tests.report.drawing import rendered, texts
from tests.selection.alphas import record
from tuner.report.figures.calibration import Trade, calibration, front
from tuner.report.figures.chosen import MOST, chosen, of_all
from tuner.report.figures.classes import ClassChange, classes
from tuner.report.figures.importance import Bar, importances, readable
from tuner.report.figures.learning import learning
from tuner.report.figures.parallel import parallel
from tuner.report.figures.style import GREY, quantity
from tuner.report.figures.svg import inline
from tuner.results import TrialState

ACCURACY = quantity("val_accuracy")
CURVES = (
    record(0, 1.0, [0.5, 0.7, 0.8, 0.85, 0.86]),
    record(1, 2.0, [0.1, 0.6, 0.7], TrialState.PRUNED),
)


def test_every_trial_has_its_curve_and_every_rung_its_line(size):
    [axes] = rendered(learning(CURVES, [1, 3], ACCURACY, size)).axes
    curves = [line for line in axes.lines if len(line.get_xdata()) > 2]
    assert {tuple(line.get_ydata()) for line in curves} == {(10, 60, 70), (50, 70, 80, 85, 86)}
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"] == [1, 3]
    assert "rung 1" in texts(axes.figure)


def test_stopped_curves_are_lighter_and_end_in_a_cross():
    [axes] = learning(CURVES, [3], ACCURACY).axes
    stopped = next(line for line in axes.lines if len(line.get_xdata()) == 3)
    assert stopped.get_alpha() < 0.5
    assert [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "x"] == [[[3, 70]]]


def test_first_epochs_do_not_stretch_the_axis():
    [axes] = learning([record(0, 1.0, [0.1, *([0.8] * 9)])], [], ACCURACY).axes
    assert axes.get_ylim()[0] > 70


TRADES = (
    Trade("a", "mixup", 0.90, 0.05),
    Trade("b", "cutmix", 0.88, 0.02),
    Trade("c", "mixup", 0.87, 0.04),
    Trade("no mixing", "none", 0.85, 0.01),
    Trade("twin of a", "mixup", 0.90, 0.05),
)


def test_the_front_has_those_that_none_beats_in_both():
    assert [one.label for one in front(TRADES)] == ["no mixing", "b", "a"]


def test_every_policy_is_a_point_and_the_front_is_named(size):
    drawn = rendered(calibration(TRADES, size=size))
    [axes] = drawn.axes
    points = sorted(tuple(line.get_xydata()[0].round(6)) for line in axes.lines if len(line.get_xdata()) == 1)
    assert points == [(1, 85), (2, 88), (4, 87), (5, 90), (5, 90)]
    assert {"a", "b", "no mixing"} <= set(texts(drawn))
    assert "c" not in texts(drawn)
    assert axes.get_xlabel() == "Validation calibration error, % (smaller is better)"


def test_the_front_s_names_stay_inside(size):
    trades = [Trade("a policy with a long name", "mixup", 0.90, 0.05), Trade("no mixing", "none", 0.85, 0.01)]
    drawn = rendered(calibration(trades, size=size))
    [axes] = drawn.axes
    assert all(text.get_window_extent().x1 <= axes.get_window_extent().x1 for text in axes.texts)


BARS = (
    Bar("mixing", 0.6, 0.2),
    Bar("mixing.mixup.ratio.beta.alpha", 0.3, 0.5),
    Bar("mixing.mixup.ratio", 0.1, 2.0),
)


def test_bars_are_shares_and_those_that_may_be_luck_are_hatched(size):
    [axes] = rendered(importances(BARS, size)).axes
    assert [bar.get_width() for bar in axes.patches] == [pytest.approx(width) for width in (60, 30, 10)]
    assert [bool(bar.get_hatch()) for bar in axes.patches] == [False, True, True]
    assert axes.figure.get_label() == "Parameters that matter more than luck would make it seem: method 60 %."


def test_what_luck_reaches_is_marked_even_beyond_the_axis():
    [axes] = importances(BARS).axes
    assert [line.get_marker() for line in axes.lines] == ["None", "None", ">"]
    assert axes.get_xlim()[1] < 100


def test_no_share_is_more_than_all():
    [axes] = importances([Bar("mixing", 1.0, 0.3)]).axes
    assert axes.get_xlim()[1] == 100


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("mixing", "method"),
        ("mixing.ratio.alpha", "alpha"),
        ("mixing.mixup.ratio", "mixup: distribution"),
        ("mixing.mixup.ratio.beta.alpha", "mixup, beta: alpha"),
        ("training.optimizer.learning_rate", "optimizer: learning rate"),
    ],
)
def test_parameters_are_readable(parameter, words):
    assert readable(parameter) == words


def dots(axes):
    return [line for line in axes.lines if line.get_marker() in tuple("osD") and len(line.get_xdata()) == 1]


def test_classes_stand_from_gain_to_loss(size):
    changes = [
        ClassChange("Shirt", -0.01, -0.05, 0.03),
        ClassChange("Bag", 0.02, 0.01, 0.03),
        ClassChange("Coat", 0.0, -0.1, 0.1),
    ]
    [axes] = rendered(classes(changes, size)).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Bag", "Coat", "Shirt"]
    assert [line.get_xdata()[0] for line in dots(axes)] == [pytest.approx(x) for x in (2, 0, -1)]
    assert [line.get_markerfacecolor() == "white" for line in dots(axes)] == [False, True, True]


def test_only_classes_that_surely_differ_are_counted_and_full():
    sure = [ClassChange("Bag", 0.02, 0.01, 0.03), ClassChange("Dress", -0.02, -0.03, -0.01)]
    unsure = [ClassChange("Shirt", 0.01, -0.05, 0.07), ClassChange("Coat", 0.0), ClassChange("Sandal", 0.01)]
    [axes] = classes([*sure, *unsure]).axes
    assert axes.figure.get_label().startswith(
        "1 of 5 classes surely gain and 1 surely lose; the others may be luck. The highest: Bag, +2.0 points"
    )
    assert [line.get_markerfacecolor() != "white" for line in dots(axes)] == [True, False, False, False, True]


def test_a_class_without_difference_or_interval_points_nowhere():
    [axes] = classes([ClassChange("Coat", 0.0), ClassChange("Bag", 0.02)]).axes
    assert {line.get_markeredgecolor() for line in dots(axes)} == {GREY}
    assert not {"gains", "loses"} & set(texts(axes.figure))


def test_no_class_can_change_by_more_than_all_of_its_accuracy():
    [axes] = classes([ClassChange("5", -0.1, -2.7, 2.5)]).axes
    assert axes.dataLim.intervalx.tolist() == [-100, 100]


@pytest.mark.parametrize("name", ["ü$\\frac{$", "$5 bill$", "a_b$^$", "x" * 90, "two\nlines"])
def test_any_class_name_is_drawn_as_it_is_written(name, size):
    drawn = rendered(classes([ClassChange(name, 0.02, 0.01, 0.03), ClassChange("Bag", 0.0)], size))
    [axes] = drawn.axes
    assert axes.get_window_extent().width > drawn.bbox.width / 2
    assert inline(drawn, "one")
    drawn.savefig(io.BytesIO(), format="png")
    label = axes.get_yticklabels()[0].get_text()
    assert label == name if len(name) < 20 and "\n" not in name else len(label) < 40


def test_of_very_many_both_ends_are_shown():
    drawn = rendered(classes([ClassChange(f"class {n:03}", (50 - n) / 1000) for n in range(100)]))
    labels = [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    assert (labels[0], labels[12], labels[-1]) == ("class 000", "… 76 more between", "class 099")


TRIALS = (
    record(0, 0.1, [0.8], probability=0.5),
    record(1, 1.0, [0.9], probability=1.0),
    record(2, 8.0, [0.5], TrialState.PRUNED, probability=1.0),
    replace(record(3, 1.0, [0.85]), params={"mixing.name": "none", "mixing.inside": True}),
)


def test_there_is_a_row_for_each_parameter_with_several_values(size):
    drawn = rendered(parallel(TRIALS, ACCURACY, maximise=True, size=size))
    assert {"method", "alpha", "probability", "Validation accuracy, %", "0.5", "none"} <= set(texts(drawn))
    assert "inside" not in texts(drawn)


def test_lines_go_from_the_first_parameter_to_the_objective():
    [axes] = parallel(TRIALS, ACCURACY, maximise=True).axes
    best = max(axes.lines, key=lambda line: line.get_linewidth())
    assert best.get_ydata().tolist() == [0, 1, 2, 3]
    assert best.get_xdata()[-1] == 1
    assert "trial 1 with 90.0 %" in axes.figure.get_label()


def test_what_a_trial_does_not_have_stands_before_the_line():
    [axes] = parallel(TRIALS, ACCURACY, maximise=True).axes
    unmixed = [line for line in axes.lines if len(line.get_xdata()) == 4 and line.get_xdata()[1] < 0]
    assert len(unmixed) == 1
    assert unmixed[0].get_xdata()[-1] == pytest.approx(0.5)


def test_the_smallest_is_best_where_the_metric_says_so():
    assert "trial 0 with" in parallel(TRIALS, ACCURACY, maximise=False).get_label()


def test_figures_without_trials_are_drawn():
    for drawn in (learning([], [], ACCURACY), parallel([], ACCURACY, maximise=True), importances([]), classes([])):
        assert rendered(drawn).get_label()


def test_of_very_many_trials_some_are_drawn_the_best_among_them():
    many = [record(n, 1.0, [0.5 + n / 1000, 0.9 if n == 201 else 0.7]) for n in range(300)]
    many += [record(n, 1.0, [0.4], TrialState.PRUNED) for n in range(300, 500)]
    few = chosen(many, maximise=True)
    assert 2 * MOST <= len(few) <= 2 * MOST + 2
    assert {0, 201, 299, 300, 499} <= {one.number for one in few}
    assert f"{len(few)} of 500 trials" in of_all(few, many)
    assert chosen(many[:20], maximise=True) == many[:20]
    assert of_all(many[:20], many[:20]) == ""
