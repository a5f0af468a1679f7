"""Where the record goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner.errors import UsageError
from tuner.tracking import destination, without_credentials


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TUNER_HOME", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)


def test_default_is_a_database_in_the_current_folder(tmp_path: Path):
    assert destination().uri == f"sqlite:///{tmp_path}/tuner-home/mlflow.db"
    assert destination().database == tmp_path / "tuner-home" / "mlflow.db"
    assert destination().artifact_location("digits") == f"file://{tmp_path}/tuner-home/artifacts/digits"
    assert list(tmp_path.iterdir()) == []


def test_address_is_absolute_where_home_was_given_relative(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TUNER_HOME", "elsewhere")
    assert destination().database == tmp_path / "elsewhere" / "mlflow.db"


def test_server_takes_its_own_artifacts_and_shows_no_password(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://someone:secret@mlflow.example:5000/")
    assert destination().uri == "https://someone:secret@mlflow.example:5000"
    assert destination().shown == "https://***@mlflow.example:5000"
    assert destination().artifact_location("digits") is None
    assert destination().is_server


def test_a_servers_page_is_what_browsers_open_without_its_password(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@mlflow:5000")
    assert destination().page == "http://mlflow:5000"
    monkeypatch.setenv("TUNER_MLFLOW_PAGE", "https://mlflow.example/")
    assert destination().uri == "http://someone:secret@mlflow:5000"
    run = {"uri": "http://***@mlflow:5000", "experiment_id": "2", "run_id": "ab"}
    assert destination().found_at("2", "ab") == run | {"page": "https://mlflow.example/#/experiments/2/runs/ab"}
    assert destination().found_at()["page"] == "https://mlflow.example"


def test_a_file_has_no_page(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TUNER_MLFLOW_PAGE", "https://mlflow.example/")
    assert destination().found_at("2", "ab")["page"] is None


def test_shared_database_keeps_artifacts_under_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://tuner:secret@db/mlflow")
    assert destination().artifacts == tmp_path / "tuner-home" / "artifacts"
    assert destination().database is None
    assert not destination().is_server


def test_home_that_a_database_address_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TUNER_HOME", "what?")
    with pytest.raises(UsageError, match="choose another folder"):
        destination()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://a:b@host/x and ftp://c@d", "http://***@host/x and ftp://***@d"),
        ("http://a:p@ss@host", "http://***@host"),
        ("http://host/a@b", "http://host/a@b"),
    ],
)
def test_credentials_are_masked_wherever_they_stand(text: str, masked: str):
    assert without_credentials(text) == masked
