"""What a cluster answers is told as it is: its own document among other output, and what it could not do."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager

import pytest

from tests.cluster.jobs_api import Jobs, serving
from tuner.cli import asking, output
from tuner.cli.cluster import Sending, send_resume
from tuner.errors import ServiceError, UsageError


class Answering(Jobs):
    """A cluster that answers each question with a text, at once."""

    def __init__(self, says: str, status: str = "SUCCEEDED") -> None:
        super().__init__()
        self.says, self.status = says, status

    def add(self, asked: dict[str, object]) -> None:
        """Take a job; questions are over at once."""
        super().add(asked)
        identifier = str(asked["submission_id"])
        if "question" in identifier:
            self.logs[identifier] = self.says
            self.end(identifier, self.status, 0 if self.status == "SUCCEEDED" else 3)


def stopping(says: str, status: str = "SUCCEEDED") -> AbstractContextManager[Jobs]:
    return serving(Answering(says, status))


def marked(document: str) -> str:
    return f"{output.MARK}\n{document}\n{output.MARK}\n"


def noted(*, stored: bool) -> str:
    return marked(json.dumps({"study": "one", "asked_to_stop": True, "stored": stored}))


def test_a_study_whose_job_was_forgotten_is_left_alone_and_that_is_told(capsys: pytest.CaptureFixture[str]):
    with stopping(noted(stored=True)) as table:
        asking.stop("one", table.address, "", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"study": "one", "asked_to_stop": True, "stored": True}


def test_a_study_that_is_not_there_is_not_stopped():
    with stopping(noted(stored=False)) as table, pytest.raises(UsageError, match="has no study one"):
        asking.stop("one", table.address, "", as_json=True)


def test_a_stop_that_could_not_be_noted_is_an_error_where_there_is_no_job(capsys: pytest.CaptureFixture[str]):
    with stopping("error: the disk is full\n", "FAILED") as table, pytest.raises(ServiceError, match="has no job"):
        asking.stop("one", table.address, "", as_json=True)
    assert "could not be noted, so it may be gone on with: error: the disk is full" in capsys.readouterr().err


def test_a_job_is_stopped_also_where_that_could_not_be_noted_which_is_said(capsys: pytest.CaptureFixture[str]):
    with stopping("error: the disk is full\n", "FAILED") as table:
        job = send_resume(table.cluster(), "one", (), Sending(), "")
        asking.stop("one", table.address, "", as_json=True)
        assert table.jobs[job.id]["status"] == "STOPPED"
    said = capsys.readouterr()
    assert json.loads(said.out)["state"] == "stopped"
    assert "could not be noted" in said.err


@pytest.mark.parametrize(("state", "questions"), [("FAILED", 1), ("SUCCEEDED", 0), ("STOPPED", 0)])
def test_a_job_that_failed_is_not_tried_again_after_a_stop(state: str, questions: int):
    with stopping(noted(stored=True)) as table:
        job = send_resume(table.cluster(), "one", (), Sending(), "")
        table.end(job.id, state, 3)
        asking.stop("one", table.address, "", as_json=True)
        assert sum("question" in identifier for identifier in table.logs) == questions


@pytest.mark.parametrize("found", [{"study": "one"}, [{"study": "one"}, {"study": "two"}], []])
def test_the_tuners_document_is_told_from_what_the_users_code_prints(
    found: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(*next(iter(asking.environment(as_json=True).items())))
    output.print_json(found)
    printed = capsys.readouterr().out
    assert asking.document(f'[1, 2]\n{{"loss": 3}}\n{printed}warning: slow\n{{"at": "exit"}}\n') == found
    assert asking.document('[1, 2]\n{"loss": 3}\n') is None
