"""What a study cost is told whole, and what is not known of it is not made up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.report.reading import findings, sections, table, text_of
from tests.search.conftest import metrics
from tests.search.test_confirm import confirming, worth
from tests.selection.alphas import record
from tuner.report.findings import Spent, gather
from tuner.report.write import of
from tuner.results import StudyResult, StudyState, TrialState


def searched(*trials, **known):
    result = StudyResult("simulated", StudyState.COMPLETED, trials, None, None, 60.0)
    return sections(of(findings(result=result, **known)))


def test_what_was_stopped_by_an_unknown_rule_is_not_denied():
    told = text_of(searched(record(0, 1.0, [0.5, 0.6]), record(1, 2.0, [0.1], TrialState.PRUNED))["search"])
    assert "1 trial was stopped early, but the study does not say by which rule" in told
    assert "Nothing was stopped early" not in told
    assert "Nothing was stopped early." in text_of(searched(record(0, 1.0, [0.5, 0.6]))["search"])


def test_the_confirmation_s_cost_stands_beside_the_search_s():
    told = searched(record(0, 1.0, [0.5, 0.6]), confirmed=Spent(3, 27, 125.0))["cost"]
    assert "Putting it to the test took 3 trainings and 27 epochs more, 2:05 if they had run" in text_of(told)
    assert "seconds an epoch" not in table(told).header


@pytest.fixture
def slow_to_start(study):
    """A confirmed study whose trainings take a minute for the first epoch, and mixing twice as long for the others."""
    search = confirming(study.spec, study.study)
    while (one := search.ask()) is not None:
        mixed = one.config["mixing"]["name"] != "none"
        for epoch in range(1, 10):
            if epoch == 9:
                search.scored(one.number, {"accuracy": worth(one), "nll": 1 - worth(one), "ece": 0.1})
            search.report(one.number, metrics(epoch, 0.5, seconds=60.0 if epoch == 1 else 1.0 + mixed))
    return study


def test_time_is_without_the_first_epoch_and_costs_are_with_it(slow_to_start):
    found = gather("simulated")
    assert {one.slower for one in found.second_axes} == {(2.0, 2.0)}
    assert found.confirmed == Spent(12, 108, pytest.approx(12 * 60 + 4 * 8 * 1.0 + 8 * 8 * 2.0))
    beside = sections(of(replace(found, responses=())))["beside"]
    assert "takes 2.00 times as long as without mixing" in text_of(beside)
    assert table(beside).rows[0][4] == "2.00 (1.00)"
