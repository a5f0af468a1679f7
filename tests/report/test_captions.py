"""Captions and sentences tell of what is drawn and looked at, and of nothing else."""

from __future__ import annotations

from dataclasses import replace

from tests.report.reading import figures, findings, sections
from tests.report.test_answers import FOUND
from tests.selection.alphas import record
from tuner.report.write import of
from tuner.results import StudyResult, StudyState
from tuner.selection.answer import Point, verdict

UNMIXED = record(9, 1.0, [0.8, 0.865])


def caption(response, baseline=None) -> str:
    trials = () if baseline is None else (baseline,)
    result = StudyResult("simulated", StudyState.COMPLETED, trials, None, baseline, 0.0)
    return figures(sections(of(findings(responses=(response,), result=result)))["alpha"])["alpha"].caption


def test_every_part_of_the_figure_is_explained():
    told = caption(FOUND, UNMIXED)
    assert all(part in told for part in ("blue band", "green line", "grey band", "lucky or unlucky itself"))


def test_what_is_not_drawn_is_not_explained():
    bare = replace(FOUND, curve=None, interval=None, best=None, noise=None)
    assert not any(part in caption(bare, UNMIXED) for part in ("blue", "green", "grey"))
    assert "grey" not in caption(FOUND)


def test_what_the_curve_leaves_out_is_named():
    assert "taken out" not in caption(replace(FOUND, adjusted_for=()))
    told = caption(replace(FOUND, adjusted_for=("seed", "mixing.probability")))
    assert "What else the trials differ in (mixing.probability, seed) is taken out of it" in told


def test_trials_that_were_not_looked_at_are_not_counted():
    points = [Point(n, 0.1 + n / 100, 0.8, 9, n < 30) for n in range(487)]
    told = verdict(replace(FOUND, points=tuple(points)))
    assert told.endswith("30 trials that ran to the end and 40 of 457 trials that were stopped can tell")
