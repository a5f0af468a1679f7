"""The same study twice makes one job, and another file never joins it; what a join leaves out is said."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.jobs_api import Jobs, serving
from tuner import spec
from tuner.cli import asking, cluster, supervise
from tuner.cli.cluster import Sending
from tuner.cluster import Job
from tuner.errors import UsageError
from tuner.search import storage, supervision


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Jobs]:
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with serving() as jobs:
        yield jobs


def submitted(table: Jobs, *overrides: str, how: Sending | None = None) -> None:
    cluster.submit("digits", overrides, table.address, how or Sending(as_json=True), no_wait=True)


def test_a_changed_file_does_not_join_the_job_that_the_supervisor_sent(
    table: Jobs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    kept = spec.load("digits")
    study = storage.create(kept.name, True)
    storage.set_state(study, source=kept.source)
    monkeypatch.setenv(supervision._JOB_VARIABLE, "{}")
    supervision.queued(study, None)
    supervise.look(table.cluster())
    with pytest.raises(UsageError, match="with another file"):
        submitted(table, "seed=3")
    submitted(table)
    assert json.loads(capsys.readouterr().out)["joined"] is True


def test_a_resumed_study_keeps_its_digest_where_its_jobs_tell_it(table: Jobs, monkeypatch: pytest.MonkeyPatch):
    submitted(table)
    (first,) = table.jobs
    table.end(first, "STOPPED")
    monkeypatch.setattr(cluster, "_follow", lambda *_, **__: 0)
    cluster.resume("digits", (), table.address, Sending())
    with pytest.raises(UsageError, match="with another file"):
        submitted(table, "seed=3")


def test_what_a_join_leaves_out_is_said(table: Jobs, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    submitted(table, how=Sending(priority=2, as_json=True))
    assert "warning" not in capsys.readouterr().err
    submitted(table, how=Sending(priority=2, as_json=True))
    assert "warning" not in capsys.readouterr().err
    submitted(table, how=Sending(tmp_path, 5, as_json=True))
    said = capsys.readouterr().err
    assert "it keeps its priority (2); --priority 5 changes nothing" in said
    assert f"--working-dir {tmp_path} was not sent" in said


def test_a_job_of_an_unknown_file_is_joined_with_a_warning(table: Jobs, capsys: pytest.CaptureFixture[str]):
    cluster.send_resume(table.cluster(), "digits", (), Sending(), "")
    submitted(table)
    assert "whether with this very file is not known" in capsys.readouterr().err


def test_two_at_once_make_one_job_and_the_other_joins_it(table: Jobs, capsys: pytest.CaptureFixture[str]):
    both = threading.Barrier(2, timeout=30)
    found: list[tuple[Job, bool]] = []

    def submit() -> None:
        at = table.cluster()
        look = at.jobs

        def looked_together(name: str | None = None, kind: str = "study") -> list[Job]:
            seen = look(name, kind)
            if not seen:
                both.wait()
            return seen

        at.jobs = looked_together

        def send() -> Job:
            return cluster.send_resume(at, "digits", (), Sending(), "file")

        found.append(cluster._joined_or_sent(at, "digits", "file", Sending(), send))

    threads = [threading.Thread(target=submit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(joined for _, joined in found) == [False, True]
    assert [job.id for job, _ in found] == ["tuner-study-digits-1"] * 2
    assert list(table.jobs) == ["tuner-study-digits-1"]


def test_the_next_job_has_the_next_number_also_of_a_study_that_was_removed(
    table: Jobs, monkeypatch: pytest.MonkeyPatch
):
    for number in (1, 2):
        submitted(table)
        table.end(f"tuner-study-digits-{number}")
    monkeypatch.setattr(asking, "ask", lambda *_, **__: 0)
    asking.remove("digits", table.address, yes=True, by="", as_json=True)
    assert list(table.jobs) == ["tuner-study-digits-2"]
    submitted(table)
    assert list(table.jobs)[-1] == "tuner-study-digits-3"


@pytest.mark.parametrize("link", ["http://user:secret@mlflow:5000", None])
def test_who_does_not_wait_is_told_where_mlflow_is_if_that_is_known(
    table: Jobs, link: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    if link is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", link)
    submitted(table)
    assert json.loads(capsys.readouterr().out)["mlflow"] == (link and "http://mlflow:5000")
    monkeypatch.setenv("TUNER_OUTPUT", "people")
    submitted(table, how=Sending())
    assert ("MLflow: http://mlflow:5000" if link else "set MLFLOW_TRACKING_URI here") in capsys.readouterr().out
