"""A grid's report: every point with its spread, against no mixing, beside what was published."""

from __future__ import annotations

import re

import pytest
from matplotlib.colors import to_rgb

from tests.report.drawing import rendered, texts
from tests.report.reading import sections, text_of
from tests.search.conftest import begin, drive
from tuner import spec
from tuner.report.document import Figure, Table
from tuner.report.figures.points import Mark, along, rows
from tuner.report.figures.style import BLUE, ORANGE, quantity
from tuner.report.findings import gather
from tuner.report.write import of
from tuner.search import storage

STUDY = """
name: simulated
trial:
  dataset: {name: digits}
  model: {name: small_cnn, padding: same}
  training: {epochs: 3}
  mixing: %s
search: {sampler: grid, trials: 30, seeds: 3}
scheduler: {name: fifo}
confirm: {seeds: 0}
published:
  source: a text
  claim: All are alike.
  metric: test accuracy
  rows:
    - {where: {mixing.name: none}, called: plain, values: {one: 0.86, two: 0.7}}
    - {where: {mixing.name: mixup}, values: {one: 0.85}}
"""
ALPHAS = "{name: mixup, ratio: {name: beta, alpha: {any: [0.1, 1.0, 8.0]}}}"
POLICIES = "{any: [{name: cutmix}, {name: mixup, ratio: {name: uniform}}]}"
ACCURACY = quantity("val_accuracy")
LUCK = (0.0, 0.004, -0.003)


def level(assignment, epoch):
    mixing = assignment.config["mixing"]
    gained = {"none": 0.0, "cutmix": 0.05, "mixup": -0.05}[mixing["name"]]
    alpha = mixing.get("ratio", {}).get("alpha")
    if mixing["name"] == "mixup" and alpha is not None:
        gained = {0.1: 0.0, 1.0: 0.05, 8.0: -0.05}[alpha] + 0.0005 * assignment.seed * alpha
    return 0.5 + 0.1 * epoch + gained + LUCK[assignment.seed] + 0.001 * (assignment.number**2 % 5)


def document(tmp_path, mixing):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY % mixing)
    search = begin(spec.load(path))
    storage.set_state(search.study, state="completed", id="one")
    drive(search, level)
    return of(gather("simulated"))


def points_of(made):
    return sections(made)["points"]


def table_of(section):
    return next(block for block in section.blocks if isinstance(block, Table))


def test_every_point_has_its_mean_and_is_compared_with_no_mixing_on_the_same_seeds(tmp_path):
    made = document(tmp_path, POLICIES)
    section = points_of(made)
    table = table_of(section)
    assert [row[0] for row in table.rows] == ["plain", "cutmix, beta alpha 1", "mixup, uniform"]
    assert all("(3 seeds)" in row[1] for row in table.rows)
    assert [row[2][:1] for row in table.rows] == ["", "+", "-"]
    assert re.match(r"\+\d\.\d\d to \+\d\.\d\d points", table.rows[1][3])
    assert "The claim: All are alike. Source: a text." in text_of(section)
    assert made.headline == "Of 2 points 1 is better than no mixing and 1 is worse."


def test_published_numbers_stand_beside_the_points_that_they_are_of(tmp_path):
    table = table_of(points_of(document(tmp_path, POLICIES)))
    assert [row[4] for row in table.rows] == ["86.00 % (one), 70.00 % (two)", "", "85.00 % (one)"]


def test_a_grid_of_one_number_is_drawn_along_it(tmp_path, size):
    section = points_of(document(tmp_path, ALPHAS))
    figure = next(block for block in section.blocks if type(block).__name__ == "Figure")
    [axes] = rendered(figure.draw(size)).axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.1", "1", "8"]
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "alpha (logarithmic)"
    assert "no mixing" in texts(axes.figure)


def test_all_points_stand_against_all_and_pairs_told_apart_have_a_colour(tmp_path, size):
    section = points_of(document(tmp_path, POLICIES))
    assert "Of all 3 pairs of points 3 can be told apart." in text_of(section)
    assert "The best with mixing, cutmix, beta alpha 1, is told from all." in text_of(section)
    *_, figure = (block for block in section.blocks if isinstance(block, Figure))
    pair = gather("simulated").grid.pairs[0][1]
    assert f"Each reaches {50 * (pair.high - pair.low):.2f} points to both sides." in figure.caption
    [axes] = rendered(figure.draw(size)).axes
    shown = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    assert {place: float(text) for place, text in shown.items()} == pytest.approx(
        {(1, 0): -5, (2, 0): 5, (0, 1): 5, (2, 1): 10, (0, 2): -5, (1, 2): -10}, abs=0.4
    )
    colours = {tuple(round(at + 0.5) for at in one.get_xy()): one.get_facecolor()[:3] for one in axes.patches}
    better = {place for place, colour in colours.items() if colour == to_rgb(BLUE)}
    worse = {place for place, colour in colours.items() if colour == to_rgb(ORANGE)}
    assert (better, worse) == ({(2, 0), (0, 1), (2, 1)}, {(1, 0), (0, 2), (1, 2)})


def test_pairs_that_are_not_told_apart_have_no_colour_and_are_named(tmp_path, size):
    same = "{any: [{name: cutmix}, {name: cutmix, ratio: {name: uniform}}]}"
    section = points_of(document(tmp_path, same))
    assert "cutmix, uniform, is not told from cutmix, beta alpha 1." in text_of(section)
    *_, figure = (block for block in section.blocks if isinstance(block, Figure))
    [axes] = rendered(figure.draw(size)).axes
    assert (1, 2) in {text.get_position() for text in axes.texts}
    assert {tuple(round(at + 0.5) for at in one.get_xy()) for one in axes.patches} == {(1, 0), (2, 0), (0, 1), (0, 2)}


MARKS = (
    Mark("plain", (0.8, 0.9), 0.85, 0.05, None, {"one": 0.7, "two": 0.75}, is_unmixed=True),
    Mark("mixed", (0.9, 0.92), 0.91, 0.01, None, {"two": 0.8}),
)


def test_rows_show_means_spreads_and_in_a_second_panel_what_was_published(size):
    drawn = rendered(rows(MARKS, ACCURACY, "elsewhere", size))
    ours, published = drawn.axes
    [[first], [second]] = [bar.lines[0].get_xydata().tolist() for bar in ours.containers]
    assert first == pytest.approx([85, 0])
    assert second == pytest.approx([91, 1])
    spread = ours.containers[0].lines[2][0].get_segments()[0]
    assert spread[:, 0].tolist() == pytest.approx([80, 90])
    places = sorted((line.get_xdata()[0], line.get_ydata()[0]) for line in published.lines)
    assert [(round(x, 6), y) for x, y in places] == [(70, 0), (75, 0), (80, 1)]
    assert {"by one", "by two", "no mixing"} <= set(texts(drawn))


def test_points_along_an_axis_stand_at_their_values(size):
    marks = [Mark("n", (0.5,), 0.5, None, is_unmixed=True), Mark("3", (0.6,), 0.6, None, 3.0)]
    [axes] = rendered(along(marks, "N", ACCURACY, logarithmic=False, size=size)).axes
    assert axes.containers[0].lines[0].get_xydata().tolist() == [[3, 60]]
