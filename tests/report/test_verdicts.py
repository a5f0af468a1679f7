"""Whatever a study came to, its report says so and why, in the first two sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.report.reading import STUDY, figures, findings, sections, table, text_of
from tests.selection.alphas import record
from tests.selection.examples import candidate, found
from tuner.report.document import Document, Figure, Section, Table
from tuner.report.figures.classes import ClassChange, classes
from tuner.report.figures.style import NARROW, WIDE
from tuner.report.page import html
from tuner.report.write import drawn_once, of
from tuner.selection.effects import effects
from tuner.selection.second_axes import Scored, second_axes

NONE, MIXUP, CUTMIX = candidate("none", 0.90), candidate("mixup", 0.92), candidate("cutmix", 0.93)
BASE = (0.900, 0.904, 0.897, 0.901, 0.905)
BETTER = (0.921, 0.922, 0.919, 0.920, 0.927)
WORSE = (0.801, 0.803, 0.799, 0.802, 0.800)


def document(*scores, settings=STUDY, **more):
    made = of(findings(settings, recommendation=found(scores, **more)))
    assert html(made)
    return made


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ([(NONE, (None,) * 5), (CUTMIX, BETTER)], "0 seeds in common"),
        ([(NONE, BASE[:1]), (CUTMIX, BETTER[:1])], "8 trainings still to run"),
        ([(NONE, BASE), (CUTMIX, BETTER)], "better than no mixing by 2.04 points"),
        ([(NONE, ()), (CUTMIX, ())], "Nothing has been trained on fresh seeds yet (10 trainings to run)"),
    ],
)
def test_the_deciding_reason_stands_below_the_headline(scores, reason):
    assert reason in document(*scores).summary


def test_a_search_that_mixed_nothing_has_nothing_to_compare():
    made = document((NONE, BASE))
    assert made.headline == "Nothing to compare: no trial with mixing ran to its end."
    assert made.tone == "unknown"
    assert text_of(sections(made)["use"]) == "Nothing is recommended."


def test_a_confirmation_that_is_turned_off_is_no_verdict():
    made = document((NONE, ()), (CUTMIX, ()), number=0, settings=STUDY.replace("seeds: 4", "seeds: 0"))
    assert made.headline == "Nothing is confirmed: the study trains nothing on fresh seeds."
    assert "confirm.seeds is 0" in made.summary
    assert made.tone == "unknown"
    assert "0 fresh seeds" not in text_of(sections(made)["decided"])
    assert table(sections(made)["verdict"]).rows[1] == ("cutmix, beta alpha 1", "", "93.00 %")


def test_what_is_proved_worse_is_not_called_unconfirmed():
    made = document((NONE, BASE), (CUTMIX, WORSE))
    assert made.headline == "Mixing is worse here on fresh seeds: train without it."


def test_a_gain_is_told_in_its_metric_and_unit():
    assert "better than no mixing by 2.04 points in test accuracy." in document((NONE, BASE), (CUTMIX, BETTER)).headline
    lower = STUDY.replace("search:", "objective: {metric: val_nll}\nsearch:")
    made = document((NONE, BETTER), (CUTMIX, BASE), settings=lower, maximise=False)
    assert "better than no mixing by 0.0204 nats in test negative log-likelihood." in made.headline


def test_means_are_over_the_seeds_that_are_compared():
    made = document((NONE, (None, *BASE[1:])), (CUTMIX, (*BETTER[:4], float("inf"))))
    baseline, mixed = table(sections(made)["verdict"]).rows
    assert baseline[2:4] == ("4 (1 failed)", "90.18 %")
    assert mixed[2:5] == ("3 (1 failed)", "92.03 % (90.07 %)", "+1.97 points")


def test_who_was_dropped_has_no_interval():
    made = document((NONE, BASE), (CUTMIX, BETTER), (MIXUP, WORSE[:3]))
    dropped = table(sections(made)["verdict"])
    assert dropped.rows[2][5:] == ("beaten after 3", "")
    assert "its difference is too low" in dropped.note


def test_accuracy_against_calibration_is_shown_on_fresh_seeds():
    candidates = (NONE, CUTMIX, MIXUP)
    tested = {
        one.key: {seed: Scored({"accuracy": own[seed], "ece": 0.1 + place / 100}, (), None) for seed in range(3)}
        for place, (one, own) in enumerate(zip(candidates, (BASE, BETTER, WORSE), strict=True))
    }
    told = found([(NONE, BASE), (CUTMIX, BETTER), (MIXUP, WORSE)])
    made = of(findings(recommendation=told, second_axes=second_axes(candidates, tested)))
    drawn = figures(sections(made)["beside"])["front"].draw(WIDE)
    assert drawn.get_label() == (
        "Test accuracy and test calibration error. No policy is better in both than no mixing (90.0 %, 10.0 %), "
        "cutmix (trial 1) (92.1 %, 11.0 %)."
    )


def test_effects_without_levels_have_no_table():
    trials = [record(number, 1.0, [0.8 + number / 100]) for number in range(2)]
    trials = [
        replace(one, params={**one.params, "mixing.probability": 0.5 + number / 2}) for number, one in enumerate(trials)
    ]
    made = of(findings(effects=effects(trials, metric="val_accuracy", maximise=True)))
    assert "cannot tell 0.5 and 1.0 apart" in text_of(sections(made)["matters"])
    assert not any(isinstance(block, Table) for block in sections(made)["matters"].blocks)


def test_who_was_beaten_is_said_to_be_after_the_seeds_that_beat_it():
    made = document((NONE, BASE), (CUTMIX, BETTER), (MIXUP, (*WORSE[:3], 0.803)))  # a fourth ran beside the decision
    assert "beaten after 3 seeds" in figures(sections(made)["seeds"])["seeds"].draw(WIDE).get_label()


def test_each_figure_is_drawn_once_for_each_size():
    drawn = []

    def draw(size):
        drawn.append(size)
        return classes([ClassChange("Bag", 0.1)], size)

    once = drawn_once(Document("t", "h", "use", "s", [Section("s", "T", [Figure("one", draw)])], "f"))
    html(once)
    once.sections[0].blocks[0].draw(WIDE)
    assert drawn == [WIDE, NARROW]
