"""Whatever stands between us and the server, each value is there once in the end, and the study is not held up."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.tracking.examples import metrics, mixup
from tests.tracking.proxy import Faults, proxied
from tests.tracking.servers import Server, served
from tuner.results import StudyState, TrialState
from tuner.tracking import DatasetInput, Destination, Tracking, TrackingReport, writer

METRICS = len(metrics(1).as_dict())


@pytest.fixture
def between(server: Server) -> Iterator[tuple[Destination, Faults]]:
    with proxied(server.address) as (address, faults):
        yield Destination(address), faults


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(writer, "LONGEST_PAUSE_SECONDS", 0.2)


@pytest.fixture
def study(request: pytest.FixtureRequest) -> str:
    return request.node.name.replace("_", "-").replace("[", "-").replace("]", "")


def begun(at: Destination, study: str, folder: Path) -> Tracking:
    tracking = Tracking(at, study, spool=folder / "unsent")
    tracking.study_started(study, study_file="name: x\n")
    return tracking


def report(tracking: Tracking, trials: range, epochs: int = 4) -> None:
    for number in trials:
        tracking.trial_started(number, mixup(0.5), {"seed": number})
        for epoch in range(1, epochs + 1):
            tracking.epoch(number, metrics(epoch, val_accuracy=epoch / 100))
        tracking.trial_ended(number, TrialState.COMPLETE, f"trained all {epochs} epochs")
        tracking.progress(number + 1, {"trials_ended": number + 1})


def ended(tracking: Tracking, timeout_seconds: float = 30) -> TrackingReport:
    tracking.artifact("report/page.html", b"<html></html>")
    tracking.study_ended(StudyState.COMPLETED, {"best_val_accuracy": 0.04})
    return tracking.close(timeout_seconds)


def counted(server: Server, study: str) -> Counter[Any]:
    """Count what is stored of a study, every point by its trial, metric and step, straight from the database."""
    found: Counter[Any] = Counter()
    with closing(sqlite3.connect(server.folder / "mlflow.db", timeout=30)) as database:
        runs = database.execute(
            "SELECT r.run_uuid, r.status, (SELECT value FROM tags t WHERE t.run_uuid = r.run_uuid AND"
            " t.key = 'tuner.trial') FROM runs r JOIN experiments e USING (experiment_id) WHERE e.name = ?"
            " AND r.lifecycle_stage = 'active'",
            (study,),
        ).fetchall()
        for run, status, number in runs:
            found["run", number, status] += 1
            for key, step in database.execute("SELECT key, step FROM metrics WHERE run_uuid = ?", (run,)):
                found[number, key, step] += 1
    return found


def wanted(trials: range, epochs: int = 4) -> Counter[Any]:
    found: Counter[Any] = Counter({("run", None, "FINISHED"): 1, (None, "best_val_accuracy", 0): 1})
    for number in trials:
        found["run", str(number), "FINISHED"] += 1
        found[None, "trials_ended", number + 1] += 1
        for epoch in range(1, epochs + 1):
            for key in metrics(epoch).as_dict():
                found[str(number), key, epoch] += 1
    return found


FAULTS = {
    "nothing": {},
    "refused": {"refuse": True, "times": 5},
    "cut after every commit": {"cut": True, "times": 30},
    "cut after a run was made": {"cut": True, "only": "runs/create", "times": 2},
    "cut after values were written": {"cut": True, "only": "log-batch", "times": 3},
    "error 500": {"status": 500, "times": 5},
    "too many requests": {"status": 429, "times": 5},
    "bad gateway": {"status": 502, "times": 5},
    "wrong password": {"status": 401, "times": 5},
    "slow": {"delay_seconds": 0.05},
    "too large": {"largest_bytes": 1500, "only": "log-batch"},
    "no files": {"status": 503, "only": "mlflow-artifacts", "times": 4},
}


@pytest.mark.parametrize("name", FAULTS)
def test_everything_is_there_once(name: str, between: Any, server: Server, tmp_path: Path):
    (at, faults), study = between, name.replace(" ", "-")
    tracking = begun(at, study, tmp_path)
    vars(faults).update(FAULTS[name])
    report(tracking, range(3))
    told = ended(tracking)
    assert told.unwritten == 0, told.error
    assert counted(server, study) == wanted(range(3))


@pytest.mark.parametrize("when", ["start", "middle", "end"])
def test_what_a_server_missed_is_sent_by_the_next_process(
    when: str, between: Any, server: Server, tmp_path: Path, study: str
):
    at, faults = between
    faults.refuse = when == "start"
    tracking = begun(at, study, tmp_path)
    report(tracking, range(2))
    if when == "middle":
        wait_until(lambda: tracking.waiting == 0)
        faults.refuse = True
    report(tracking, range(2, 4))
    if when == "end":
        wait_until(lambda: tracking.waiting == 0)
        faults.refuse = True
    started = time.monotonic()
    told = ended(tracking, 0.5)
    assert time.monotonic() - started < 2
    assert told.unwritten > 0

    faults.heal()
    later = Tracking(at, study, spool=tmp_path / "unsent")
    assert later.close(30).unwritten == 0
    assert counted(server, study) == wanted(range(4))
    assert list((tmp_path / "unsent").iterdir()) == []


def wait_until(true: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_study_is_not_held_up_by_a_server_of_ten_seconds_a_request(between: Any, tmp_path: Path, study: str):
    at, faults = between
    faults.delay_seconds = 10
    started = time.perf_counter()
    tracking = begun(at, study, tmp_path)
    report(tracking, range(50), epochs=20)
    assert time.perf_counter() - started < 1
    told = ended(tracking, 1)
    assert time.perf_counter() - started < 4
    assert told.unwritten == 2 + 50 * 23 + 2
    assert Tracking(at, study, spool=tmp_path / "unsent").waiting in (0, told.unwritten)  # 0 until it has looked


def test_memory_is_bounded_however_long_nobody_answers(
    between: Any, server: Server, tmp_path: Path, study: str, monkeypatch: pytest.MonkeyPatch
):
    at, faults = between
    monkeypatch.setattr(writer, "CAPACITY", 200)
    monkeypatch.setattr(writer, "SPOOL_FROM", 50)
    faults.status = 500
    tracking = begun(at, study, tmp_path)
    wait_until(lambda: tracking.is_out_of_reach)
    most = 0
    for number in range(30):
        report(tracking, range(number, number + 1), epochs=20)
        most = max(most, len(tracking._writer._waiting))
    assert most <= 200
    assert (tmp_path / "unsent" / "records.jsonl").stat().st_size > 0
    faults.heal()
    told = ended(tracking)
    assert told.unwritten == 0, told.error
    assert counted(server, study) == wanted(range(30), 20)


def test_queue_that_fills_while_a_request_is_under_way_loses_nothing(
    between: Any, server: Server, tmp_path: Path, study: str, monkeypatch: pytest.MonkeyPatch
):
    at, faults = between
    monkeypatch.setattr(writer, "CAPACITY", 50)
    monkeypatch.setattr(writer, "LINGER_SECONDS", 0.0)
    tracking = begun(at, study, tmp_path)
    wait_until(lambda: tracking.waiting == 0)
    faults.delay_seconds = 0.3
    for number in range(10):
        report(tracking, range(number, number + 1), epochs=20)
        time.sleep(0.05)
    faults.heal()
    told = ended(tracking, 120)
    assert told.unwritten == 0, told.error
    assert counted(server, study) == wanted(range(10), 20)


def test_files_that_are_not_taken_hold_up_nothing_and_are_sent_later(
    between: Any, server: Server, tmp_path: Path, study: str
):
    at, faults = between
    faults.status, faults.only = 500, "mlflow-artifacts"
    tracking = begun(at, study, tmp_path)
    report(tracking, range(2))
    wait_until(lambda: tracking.waiting == 1)
    report(tracking, range(2, 4))
    wait_until(lambda: tracking.waiting == 1)
    told = ended(tracking, 1)
    assert told.unwritten == 2
    assert "500" in told.error
    assert counted(server, study) == wanted(range(4))
    faults.heal()
    assert Tracking(at, study, spool=tmp_path / "unsent").close(30).unwritten == 0
    from mlflow import MlflowClient

    client = MlflowClient(at.uri)
    assert {one.path for one in client.list_artifacts(told.run_id)} == {"study.yaml", "report"}


def test_record_that_the_server_never_takes_is_given_up(
    between: Any, server: Server, tmp_path: Path, study: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "ATTEMPTS", 2)
    at, faults = between
    tracking = begun(at, study, tmp_path)
    wait_until(lambda: tracking.waiting == 0)
    faults.status, faults.only = 500, "log-inputs"
    tracking.dataset(DatasetInput("x", "y", "z"))
    report(tracking, range(2))
    told = ended(tracking)
    assert told.unwritten == 1
    assert "500" in told.error
    assert counted(server, study) == wanted(range(2))


def test_full_disk_keeps_in_memory_what_it_can(between: Any, server: Server, tmp_path: Path, study: str):
    at, faults = between
    (tmp_path / "unsent").write_text("no folder can be here")
    faults.refuse = True
    tracking = begun(at, study, tmp_path)
    report(tracking, range(2))
    time.sleep(0.5)
    faults.heal()
    told = ended(tracking)
    assert told.unwritten == 0, told.error
    assert counted(server, study) == wanted(range(2))

    faults.refuse = True
    lost = begun(at, study, tmp_path)
    told = ended(lost, 0.5)
    assert told.unwritten == 4
    assert told.error


def test_epochs_that_wait_go_as_one_request(between: Any, tmp_path: Path, study: str):
    at, faults = between
    faults.delay_seconds, faults.times = 0.5, 1
    tracking = begun(at, study, tmp_path)
    report(tracking, range(1), epochs=100)
    assert ended(tracking).unwritten == 0
    assert 2 <= sum("log-batch" in path for path in faults.seen) <= 8


def test_server_with_a_password_takes_it_from_files(between: Any, tmp_path: Path, study: str, monkeypatch):
    at, _ = between
    for name, content in (("USERNAME", "me"), ("PASSWORD", "hush\n")):
        (tmp_path / name).write_text(content)
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}_FILE", str(tmp_path / name))
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", "")  # put back after the test
    tracking = begun(at, study, tmp_path)
    assert ended(tracking).unwritten == 0
    assert (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]) == ("me", "hush")

    (tmp_path / "PASSWORD").write_text("")
    told = begun(at, study, tmp_path).close(1)
    assert "PASSWORD_FILE" in told.error
    assert "is empty" in told.error


@pytest.mark.heavy
def test_server_that_is_killed_three_times_has_everything_once(
    store: Destination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "OUT_OF_REACH_SECONDS", 30.0)
    shutil.copy(store.database, tmp_path / "mlflow.db")
    with served(tmp_path) as server:
        tracking = begun(Destination(server.address), "killed", tmp_path)
        done = threading.Event()

        def killing() -> None:
            for _ in range(3):
                time.sleep(1)
                server.kill()
                time.sleep(0.5)
                server.start()
            done.set()

        killer = threading.Thread(target=killing)
        killer.start()
        trials = 0
        slowest = 0.0
        while not done.is_set():
            started = time.perf_counter()
            report(tracking, range(trials, trials + 1))
            slowest = max(slowest, time.perf_counter() - started)
            trials += 1
            time.sleep(0.3)
        killer.join()
        told = ended(tracking, 120)
        assert told.unwritten == 0, told.error
        assert counted(server, "killed") == wanted(range(trials))
        assert slowest < 0.5
        assert trials > 10
