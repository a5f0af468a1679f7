"""A study whose driver ends before its turn, while data are read: who goes on with it, and what it leaves."""

from __future__ import annotations

import sys

import pytest

from tuner import spec
from tuner.errors import ServiceError, StudyFileError, UsageError
from tuner.search import lease, storage, stored, study, supervision

STUDY = """
name: early
trial:
  dataset: {import: "early_data:load"}
  model: {name: small_cnn, padding: same}
  training: {epochs: 1}
  mixing: {name: none}
search: {trials: 1}
"""

DATA = """
class Reading:
    end = None


def load():
    raise Reading.end()
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a study as a cluster's job, of which `end` comes while its data are read."""
    (tmp_path / "early_data.py").write_text(DATA)
    (tmp_path / "study.yaml").write_text(STUDY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "early_data", raising=False)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv(supervision._JOB_VARIABLE, "{}")

    def ran(end, carry_out=study.run):
        from early_data import Reading

        Reading.end = end
        return carry_out(spec.load(tmp_path / "study.yaml"), priority=3)

    return ran


def looking():
    """Return an interruption that tells how the study stood while its data were read."""
    left = [(one.name, one.priority) for one in supervision.cut_off()]
    held = lease.driver("early")
    place = storage.load("early").user_attrs["queue"]
    return KeyboardInterrupt((left, held is not None, place["priority"], str(stored.stored("early").state)))


def test_a_study_has_its_place_before_its_data_are_read(run):
    with pytest.raises(KeyboardInterrupt) as seen:
        run(looking)
    assert seen.value.args[0] == ([], True, 3, "waiting")
    assert [(one.name, one.priority) for one in supervision.cut_off()] == [("early", 3)]


def test_one_that_is_run_by_hand_leaves_nothing(run, monkeypatch):
    monkeypatch.delenv(supervision._JOB_VARIABLE)
    with pytest.raises(KeyboardInterrupt):
        run(KeyboardInterrupt)
    assert not storage.study_directory("early").exists()


def test_a_job_goes_on_after_what_is_no_fault_of_its_study(run, monkeypatch):
    errors = KeyboardInterrupt(), ServiceError("Ray is out of reach"), UsageError("no node holds it")
    assert [supervision.goes_on_after(one) for one in errors] == [True, True, False]
    monkeypatch.delenv(supervision._JOB_VARIABLE)
    assert not any(supervision.goes_on_after(one) for one in errors)


def test_one_that_is_refused_leaves_nothing_and_its_name_is_free(run):
    for _ in range(2):
        with pytest.raises(StudyFileError, match="no such folder"):
            run(lambda: ValueError("no such folder"))
        assert supervision.cut_off() == []
        assert not storage.exists("early")


def test_a_resume_that_is_refused_has_the_place_that_it_had_before(run):
    with pytest.raises(KeyboardInterrupt):
        run(KeyboardInterrupt)
    with pytest.raises(StudyFileError):
        run(lambda: ValueError("no such folder"), study.resume)
    assert [one.name for one in supervision.cut_off()] == ["early"]
    supervision.leave("early")
    with pytest.raises(StudyFileError):
        run(lambda: ValueError("no such folder"), study.resume)
    assert supervision.cut_off() == []
