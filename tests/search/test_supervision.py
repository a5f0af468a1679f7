"""Which studies are to go on when their driver is gone: what is written down of it, and who is left alone."""

from __future__ import annotations

import json

import pytest

from tests.search.conftest import begin
from tuner.cli.supervise import MOST_FAILURES, QUICK_SECONDS, failures
from tuner.cluster import Job
from tuner.home import home, kept_code
from tuner.results import StudyState
from tuner.search import storage, supervision
from tuner.search.lease import only_driver
from tuner.search.supervision import CutOff


@pytest.fixture
def job(monkeypatch):
    """Be a cluster's job."""
    monkeypatch.setenv(supervision._JOB_VARIABLE, "{}")


def named(load, name: str, priority: int | None = None):
    """Return a study that began, as its driver left it that died."""
    study = begin(load(f"name={name}")).study
    supervision.queued(study, priority)
    storage.set_state(study, state=StudyState.RUNNING.value)
    return study


def names() -> list[str]:
    return [one.name for one in supervision.cut_off()]


def test_studies_that_lost_their_driver_are_found_the_first_to_begin_first(load, job):
    named(load, "old")
    named(load, "young")
    named(load, "urgent", priority=2)
    assert names() == ["urgent", "old", "young"]
    with only_driver("old"):
        assert names() == ["urgent", "young"]


def test_one_that_somebody_ran_by_hand_is_left_to_him(load):
    named(load, "by-hand")
    assert names() == []


@pytest.mark.parametrize(
    ("state", "found"),
    [("interrupted", ["one"]), ("running", ["one"]), ("completed", []), ("failed", []), ("out_of_budget", [])],
)
def test_what_has_ended_is_left_alone_and_what_a_shutdown_ended_is_not(load, job, state, found):
    study = named(load, "one")
    storage.set_state(study, state=state)
    supervision.settle(study)
    assert names() == found


def test_a_confirmation_that_was_cut_off_goes_on(load, job):
    study = named(load, "one")
    storage.set_state(study, state="completed")
    storage.set_state(storage.confirmation(study), state="interrupted")
    supervision.settle(study)
    assert names() == ["one"]


def test_who_was_stopped_on_purpose_goes_on_only_when_asked_to_and_then_anew(load, job, monkeypatch):
    study = named(load, "one", priority=2)
    supervision.leave("one")
    assert names() == []
    first = supervision.queued(study, None)
    assert first.priority == 2
    assert names() == ["one"]
    monkeypatch.setattr(supervision.time, "time", lambda: first.since + 100)
    assert supervision.queued(study, None) == first  # cut off: it keeps its age
    supervision.leave("one")
    assert supervision.queued(study, 0) == (0, first.since + 100)


def test_giving_up_is_said_until_somebody_goes_on(load, job):
    study = named(load, "one")
    supervision.attempted("one", "job-1", 2)
    assert supervision.cut_off()[0][3:5] == ("job-1", 2)
    supervision.give_up("one", "its data are gone")
    assert names() == []
    assert "its data are gone" in supervision.notes("one")[0]
    supervision.queued(study, None)
    assert supervision.notes("one") == []


def test_failures_count_where_the_supervisors_own_job_failed_quickly():
    def of(identifier: str, state: str, seconds: float) -> int:
        return failures(
            CutOff("one", 0.0, 0, "sent", 1), Job(identifier, "one", state, "", 1, "", 100.0, 100 + seconds)
        )

    assert of("sent", "failed", 5.0) == 2 < MOST_FAILURES
    assert of("sent", "failed", QUICK_SECONDS + 1) == 0
    assert of("sent", "succeeded", 5.0) == 0
    assert of("somebody's", "failed", 5.0) == 0
    assert failures(CutOff("one", 0.0, 0, "", 0, died_at_work=True), None) == 0


def test_failures_count_where_a_forgotten_job_ended_at_work_before_it_got_anywhere():
    def of(*, has_progressed: bool, died_at_work: bool) -> int:
        return failures(CutOff("one", 0.0, 0, "sent", 1, has_progressed, died_at_work), None)

    assert of(has_progressed=False, died_at_work=True) == 2
    assert of(has_progressed=False, died_at_work=False) == 1
    assert of(has_progressed=True, died_at_work=True) == 0


def test_the_code_that_came_with_a_job_is_kept_and_only_replaced_by_other_code(load, job, tmp_path, monkeypatch):
    named(load, "one")
    came = tmp_path / "came"
    came.mkdir()
    (came / "my_models.py").write_text("first")
    monkeypatch.setenv(supervision.CODE_VARIABLE, str(came))
    supervision.keep_code("one")
    monkeypatch.delenv(supervision.CODE_VARIABLE)
    supervision.keep_code("one")
    kept = kept_code("one")
    assert [path.read_text() for path in kept.iterdir()] == ["first"]


def test_the_audit_log_has_a_line_for_each_act_whatever_the_words():
    supervision.note("stop", "one", "alice@desk")
    supervision.note("rm", "one", 'eve"\n{}')
    lines = [json.loads(line) for line in (home() / "audit.log").read_text().splitlines()]
    assert [(line["act"], line["by"]) for line in lines] == [("stop", "alice@desk"), ("rm", 'eve"\n{}')]
