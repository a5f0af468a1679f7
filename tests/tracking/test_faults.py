"""Whatever MLflow does, the study is not held up, and the report says what is missing."""

from __future__ import annotations

import shutil
import socket
import time
from pathlib import Path

import pytest

from tests.tracking.examples import closed, metrics, store_in
from tuner.errors import ServiceError
from tuner.results import StudyState, TrialState
from tuner.tracking import Destination, Tracking, child_runs, ids, probe_mlflow, writer


def report_a_trial(tracking: Tracking, study: str) -> float:
    """Return the seconds that all calls took together."""
    started = time.perf_counter()
    tracking.study_started(study, study_file="name: x\n")
    tracking.trial_started(0, {"a": 1})
    for epoch in range(100):
        tracking.epoch(0, metrics(epoch))
    tracking.trial_ended(0, TrialState.COMPLETE, "")
    tracking.study_ended(StudyState.COMPLETED)
    return time.perf_counter() - started


def test_unreachable_server_costs_the_study_milliseconds(store: Destination):
    tracking = Tracking(Destination("http://someone:secret@127.0.0.1:9"))
    assert report_a_trial(tracking, "unreachable") < 0.1

    started = time.perf_counter()
    report = tracking.close(1.5)
    assert time.perf_counter() - started < 2.5
    assert (report.written, report.unwritten) == (0, 105)
    assert "MLflow at http://***@127.0.0.1:9" in report.error
    assert "Connection refused" in report.error
    assert "secret" not in report.error


def test_silent_server_does_not_hold_up_the_end(store: Destination):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tracking = Tracking(Destination(f"http://127.0.0.1:{silent.getsockname()[1]}"))
        assert report_a_trial(tracking, "silent") < 0.1
        report = tracking.close(0.5)
    assert report.unwritten == 105
    assert "did not take everything within 0.5 seconds" in report.error


def test_store_that_comes_back_gets_everything(store: Destination, tmp_path: Path):
    home = tmp_path / "home"
    home.write_text("a file where the folder is to be")
    late = store_in(home)
    tracking = Tracking(late)
    report_a_trial(tracking, "late")
    time.sleep(0.2)
    home.unlink()
    home.mkdir()
    shutil.copy(store.database, home)

    report = closed(tracking)
    assert report.written == 105
    assert list(child_runs("late", late)) == [0]


def test_records_beyond_the_bound_are_counted(store: Destination, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writer, "CAPACITY", 10)
    tracking = Tracking(Destination("http://127.0.0.1:9"))
    report_a_trial(tracking, "many")
    assert tracking.close(0).unwritten == 105


def test_record_after_the_end_is_counted_and_told(store: Destination):
    tracking = Tracking(store)
    tracking.study_started("closed")
    closed(tracking)
    tracking.trial_started(0, {})
    report = tracking.close(1)
    assert (report.written, report.unwritten) == (1, 1)
    assert "after the tracking was closed" in report.error


def test_reading_from_a_store_out_of_reach_says_what_to_do():
    with pytest.raises(ServiceError, match="MLFLOW_TRACKING_URI"):
        child_runs("any", Destination("http://127.0.0.1:9"))


def test_reading_before_the_first_study_finds_nothing_and_makes_nothing(tmp_path: Path):
    assert child_runs("any", store_in(tmp_path)) == {}
    assert ids("any", store_in(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []


def test_probe_tells_version_and_place(store: Destination):
    assert probe_mlflow(store).startswith("MLflow 3.")
    assert str(store.database) in probe_mlflow(store)


def test_probe_of_a_server_out_of_reach_says_what_to_do():
    with pytest.raises(ServiceError, match=r"127\.0\.0\.1:9.*start the server"):
        probe_mlflow(Destination("http://127.0.0.1:9"))
