"""What `tuner doctor` finds on a real machine, and on a broken one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuner.cli import doctor
from tuner.cli.doctor import Check, access, checks, gpus, machine
from tuner.cli.doctor.gpus import Gpu


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = ("MLFLOW_TRACKING_URI", "RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "NO_PROXY")
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in (*ours, *proxies, "TUNER_ADDRESS", "TUNER_STORAGE_URL"):
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
    monkeypatch.setattr(doctor, "checks", lambda **_: [Check("disk", False, "full", "free some")])
    assert doctor.doctor(json=True) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert document["checks"][0]["advice"] == "free some"


def test_a_token_that_is_not_needed_is_pointed_out_to_who_asks_a_cluster(monkeypatch: pytest.MonkeyPatch):
    assert access.ray_access(elsewhere=True).ok is None
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/nowhere/token")
    assert access.ray_access(elsewhere=True).ok is False
    monkeypatch.setenv("RAY_AUTH_TOKEN", "word")
    assert access.ray_access(elsewhere=True).ok is True


def test_shared_memory_as_small_as_dockers_own_is_found(tmp_path: Path):
    """Faults, line 19; a whole disk stands for memory that is large enough."""
    assert machine.shared_memory(tmp_path).ok is True
    assert machine.shared_memory(Path("/sys")).ok is False  # a file system of size 0
    assert "--shm-size" in machine.shared_memory(Path("/sys")).advice
    assert machine.shared_memory(tmp_path / "none").ok is None


@pytest.mark.parametrize(
    ("given", "ok", "said"),
    [("1", True, "OMP_NUM_THREADS=1"), ("100000", False, "more than there are"), ("many", False, "'many'")],
)
def test_threads_that_are_more_than_processors_are_found(
    monkeypatch: pytest.MonkeyPatch, given: str, *, ok: bool, said: str
):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert check("processors").ok is ok
    assert said in check("processors").found


@pytest.mark.parametrize(("hard", "ok"), [(1024, False), (65536, True), (-1, True)])
def test_a_process_that_may_open_few_files_is_found(hard: int, *, ok: bool):
    found = machine.limit_of_files("open files", 1024, hard)
    assert found.ok is ok
    assert ok or "ulimit" in found.advice


MOUNTS = """/dev/sda1 / ext4 rw 0 0
server:/export /shared nfs4 rw,vers=4.2 0 0
"""


def test_locked_files_on_a_networks_file_system_are_found():
    assert machine.file_system_of(Path("/shared/tuner"), MOUNTS) == "nfs4"
    assert machine.file_system_of(Path("/home/tuner"), MOUNTS) == "ext4"
    assert machine.fit_for_locks("nfs4", ["Optuna's journal"]).ok is False
    assert "TUNER_STORAGE_URL" in machine.fit_for_locks("nfs4", ["Optuna's journal"]).advice
    assert machine.fit_for_locks("nfs4", []).ok is True
    assert machine.fit_for_locks("ext4", ["Optuna's journal"]).ok is True


def test_a_proxy_that_hides_this_machine_is_found_and_what_to_export(monkeypatch: pytest.MonkeyPatch):
    assert machine.proxy([]).ok is True
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "example.org")
    found = machine.proxy(["http://head:8265"])
    assert found.ok is False
    assert found.advice == "export no_proxy=example.org,localhost,127.0.0.1,head"
    monkeypatch.setenv("no_proxy", "example.org,localhost,127.0.0.1,head")
    assert machine.proxy(["http://head:8265"]).ok is True


A100 = Gpu("NVIDIA A100", 80 * 2**30, "sm_80")


@pytest.mark.parametrize(
    ("devices", "compiled", "cuda", "driver", "is_there", "ok", "said"),
    [
        ([A100], ["sm_75", "sm_80", "sm_90"], "13.0", "580.1", True, True, "NVIDIA A100 80 GiB"),
        ([Gpu("old", 2**30, "sm_35")], ["sm_75", "sm_80"], "13.0", "580.1", True, False, "programs for sm_75, sm_80"),
        ([Gpu("new", 2**30, "sm_121")], ["sm_120"], "13.0", "580.1", True, True, "new"),
        ([Gpu("new", 2**30, "sm_120")], ["sm_90", "compute_90"], "13.0", "580.1", True, True, "new"),
        ([], [], "13.0", "470.2", True, False, "built for CUDA 13.0; the driver is 470.2"),
        ([], [], None, "580.1", True, False, "CPU only"),
        ([], [], "13.0", "", False, None, "none"),
    ],
)
def test_a_gpu_that_this_torch_cannot_use_is_found(*, devices, compiled, cuda, driver, is_there, ok, said):
    found = gpus.usable_gpus(devices, compiled, cuda, driver, is_there=is_there)
    assert found.ok is ok
    assert said in found.found
    assert ok is not False or "driver" in found.advice


def test_the_drivers_version_is_read(tmp_path: Path):
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23\nGCC\n")
    assert gpus.driver(tmp_path / "version") == "580.95.05"
    assert gpus.driver(tmp_path / "none") == ""


def test_a_folder_that_has_to_be_here_is_missed():
    lacking = next(one for one in checks(folders=["/nowhere/data"]) if one.name == "data")
    assert (lacking.ok, "/nowhere/data" in lacking.found) == (False, True)
    assert next(one for one in checks(folders=["/"]) if one.name == "data").ok is True


def test_a_database_out_of_reach_is_found_without_its_password(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TUNER_STORAGE_URL", "postgresql://tuner:secret@127.0.0.1:9/tuner")
    found = check("storage")
    assert found.ok is False
    assert "TUNER_STORAGE_URL" in found.advice
    assert "secret" not in found.found + found.advice
    monkeypatch.setenv("TUNER_STORAGE_URL", "mysql://tuner:secret@host/base")
    assert check("storage").ok is False
    assert "secret" not in check("storage").advice


def test_a_cluster_that_does_not_answer_is_one_failing_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert doctor.elsewhere("http://127.0.0.1:9", json=True) == 3
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    assert found["proxy"]["ok"] is False
    assert found["cluster"]["ok"] is False
    assert "no Ray cluster answers" in found["cluster"]["advice"]
