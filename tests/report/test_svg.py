"""Inline SVG: one element, its own ids, text as text, the same bytes for the same records."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

from tuner.report.figures import style
from tuner.report.figures.style import NARROW, WIDE
from tuner.report.figures.svg import inline, responsive


def drawn(size=WIDE, description="Accuracy < 90 % & rising."):
    with style.styled():
        made = style.figure(size, 2.5, description)
        axes = made.subplots()
        axes.plot([0.1, 1, 5], [1, 3, 2], "o-")
        axes.set_title("mixup, beta", fontweight="bold")
        style.logarithmic(axes, 0.05, 8, "alpha")
    return made


def test_it_is_one_element_that_says_what_it_shows():
    text = inline(drawn(), "one")
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "one-description")
    description = next(node for node in root.iter() if node.get("id") == "one-description")
    assert description.text == "Accuracy < 90 % & rising."
    assert root.get("viewBox") == "0 0 489.6 180"
    assert "<?xml" not in text
    assert "<!DOCTYPE" not in text


def test_text_stays_text_in_the_page_s_fonts():
    root = ElementTree.fromstring(inline(drawn(), "one"))
    texts = [node for node in root.iter() if node.tag.endswith("}text")]
    assert {"mixup, beta", "alpha (logarithmic)", "0.05", "0.5"} <= {"".join(node.itertext()).strip() for node in texts}
    assert all("system-ui" in node.get("style", "") for node in texts)


def test_the_same_records_give_the_same_bytes():
    assert inline(drawn(), "one") == inline(drawn(), "one")


def test_nothing_of_the_day_or_the_program_is_in_it():
    text = inline(drawn(), "one").lower()
    assert "matplotlib v" not in text
    assert "metadata" not in text
    assert "dc:date" not in text


def test_ids_of_two_figures_never_meet():
    both = [inline(drawn(), "one"), inline(drawn(), "two")]
    first, second = (set(re.findall(r'\bid="([^"]+)"', text)) for text in both)
    assert first
    assert not first & second
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', both[0]))
    assert {one or other for one, other in used} <= first


def test_nothing_is_loaded_and_nothing_styles_the_page():
    text = inline(drawn(), "one")
    links = set(re.findall(r'https?://[^"\s]+', text))
    assert links == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "<style" not in text


def test_a_narrow_screen_has_a_figure_of_its_own():
    text = responsive(drawn, "one")
    wide, narrow = re.findall(r'<svg class="(\w+)".*?viewBox="0 0 ([\d.]+)', text)
    assert (wide[0], narrow[0]) == ("wide", "narrow")
    assert (float(wide[1]), float(narrow[1])) == (pytest.approx(72 * WIDE.width), pytest.approx(72 * NARROW.width))
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_matplotlib_s_settings_are_left_as_they_were():
    before = dict(mpl.rcParams)
    inline(drawn(), "one")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("metric", "label", "text"),
    [
        ("val_accuracy", "Validation accuracy, %", "86.1 %"),
        ("test_ece", "Test calibration error, %", "86.1 %"),
        ("val_nll", "Validation negative log-likelihood, nats", "0.861 nats"),
        ("train_loss", "Training loss", "0.861"),
        ("own", "own", "0.861"),
    ],
)
def test_a_quantity_is_shown_in_its_unit(metric, label, text):
    shown = style.quantity(metric)
    assert (shown.label, shown.text(0.861)) == (label, text)


def test_a_method_has_the_same_colour_whatever_else_is_drawn_in_any_order():
    assert style.series(["mixup", "cutmix"]) == style.series(["cutmix", "mixup", "none", "mixup"])
    many = style.series([f"method {n}" for n in range(9)])
    assert len({colour for colour, _ in many.values()}) >= 6


def test_a_logarithmic_axis_reads_in_ones_twos_and_fives():
    with style.styled():
        axes = style.figure(WIDE, 2, "").subplots()
        style.logarithmic(axes, 0.05, 8, "alpha")
    ticks = [tick for tick in axes.get_xticks() if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
    labels = [axes.xaxis.get_major_formatter()(tick) for tick in ticks]
    assert labels == ["0.05", "0.1", "0.2", "0.5", "1", "2", "5"]
