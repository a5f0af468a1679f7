"""What `tuner doctor` finds on a real machine, and on a broken one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuner.cli import doctor
from tuner.cli.doctor import Check, checks


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "home"))


def check(name: str) -> Check:
    return next(one for one in checks() if one.name == name)


def test_every_check_says_what_it_found_and_changes_nothing(tmp_path: Path):
    found = checks()
    assert len({one.name for one in found}) == len(found) >= 10
    assert all(one.found for one in found)
    assert all(one.advice for one in found if one.ok is False)
    assert list(tmp_path.iterdir()) == []


def test_ray_is_not_started_unasked():
    assert check("ray").ok is None
    assert "not started" in check("ray").found


@pytest.mark.ray
def test_ray_starts_and_runs_a_task():
    found = next(one for one in checks(start_ray=True) if one.name == "ray")
    assert found.ok, found.advice
    assert "a task ran" in found.found


def test_home_that_cannot_be_written_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TUNER_HOME", "/proc/nowhere")
    assert check("home").ok is False
    assert "TUNER_HOME" in check("home").advice


def test_mlflow_out_of_reach_says_what_to_do_without_the_password(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@127.0.0.1:9")
    found = check("mlflow")
    assert found.ok is False
    assert "MLFLOW_TRACKING_URI" in found.advice
    assert "secret" not in found.found + found.advice


@pytest.mark.parametrize(
    ("content", "mode", "ok", "said"),
    [
        (None, 0o600, False, "does not exist"),
        ("", 0o600, False, "is empty"),
        ("token", 0o644, False, "which others can read"),
        ("token", 0o600, True, "token from"),
    ],
)
def test_token_file_has_to_be_there_and_private(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, mode: int, *, ok: bool, said: str
):
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    assert check("ray access").ok is ok
    assert said in check("ray access").found


def test_open_cluster_is_pointed_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert check("ray access").ok is None
    assert "RAY_AUTH_MODE=token" in check("ray access").advice


def test_failing_check_is_exit_code_3_and_one_json_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(doctor, "checks", lambda start_ray: [Check("disk", False, "full", "free some")])
    assert doctor.doctor(json=True) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert document["checks"][0]["advice"] == "free some"
