"""What travels with a job arrives as it was, and nothing of it is ever read as a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray._private.runtime_env.packaging import create_package

from tests.readme import ROOT
from tuner.cluster import parcel
from tuner.cluster.parcel import ORDER, STUDY, Order, packed, read
from tuner.errors import UsageError


@given(st.lists(st.text(), max_size=5))
def test_an_order_arrives_as_it_was(arguments):
    with packed(Order(tuple(arguments))) as folder:
        assert read(folder / ORDER) == Order(tuple(arguments))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"arguments": 3, "version": "1"}', "\x00"])
def test_what_is_no_order_is_refused(tmp_path: Path, text: str):
    (tmp_path / "order.json").write_text(text)
    with pytest.raises(ValueError, match="is no order of the tuner"):
        read(tmp_path / "order.json")


def test_ones_own_code_travels_without_what_nobody_needs(tmp_path: Path):
    for name in ("my_models.py", "package/data.py", ".git/config", "package/__pycache__/x.pyc", "tuner-home/mlflow.db"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    with packed(Order(("run", STUDY)), "name: x\n", tmp_path) as folder:
        found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert found == {"my_models.py", "package/data.py", ORDER, STUDY}
        assert (folder / STUDY).read_text() == "name: x\n"
    assert not folder.exists()


def uploaded(folder: Path, to: Path) -> set[str]:
    """Return what Ray's upload of a parcel holds."""
    create_package(str(folder), to / "parcel.zip", include_gitignore=True, excludes=[".git", ".venv"])
    return {name for name in zipfile.ZipFile(to / "parcel.zip").namelist() if not name.endswith("/")}


@pytest.mark.parametrize("rules", ["*.json\n*.yaml\n", "tuner-job/\n", "*\n", "*\n!*.py\n"])
def test_the_order_and_the_study_travel_whatever_git_ignores(tmp_path: Path, rules: str):
    own = tmp_path / "own"
    own.mkdir()
    (own / "my_models.py").write_text("")
    (own / ".gitignore").write_text(rules)
    with packed(Order(("run", STUDY)), "name: x\n", own) as folder:
        assert {ORDER, STUDY} <= uploaded(folder, tmp_path)


def test_what_git_or_ray_ignores_stays_behind_and_is_named(tmp_path: Path, capsys):
    own, rules = tmp_path / "own", {".gitignore": "data/\n*.log\n", "package/.rayignore": "secret.txt\n"}
    for name in ("a.py", "run.log", "data/x", "package/b.py", "package/secret.txt", "secret.txt", *rules):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(rules.get(name, ""))
    (own / "link").symlink_to("package")
    with packed(Order(("run", STUDY)), "name: x\n", own) as folder:
        found = {
            str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
        }
        assert found == {"a.py", "package/b.py", "secret.txt", ORDER, STUDY}
        assert (folder / "link" / "b.py").exists()
    assert capsys.readouterr().err == (
        "--working-dir: run.log, data/x, package/secret.txt stay here, as .gitignore or .rayignore says\n"
    )


def test_what_stays_behind_counts_for_nothing(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(parcel, "MOST_BYTES", 1000)
    (tmp_path / "large").write_bytes(bytes(1001))
    (tmp_path / ".gitignore").write_text("large\n")
    with packed(Order(()), None, tmp_path) as folder:
        assert not (folder / "large").exists()


def test_a_folder_that_is_too_large_or_not_there_is_said_before_anything_is_sent(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(parcel, "MOST_BYTES", 1000)
    (tmp_path / "large").write_bytes(bytes(1001))
    with pytest.raises(UsageError, match="put data where every worker sees it"), packed(Order(()), None, tmp_path):
        pass
    with pytest.raises(UsageError, match="there is no folder"), packed(Order(()), None, tmp_path / "none"):
        pass


def run_job(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a job's command as Ray does, in its folder."""
    return subprocess.run(
        [sys.executable, "-m", "tuner.cluster.job"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TUNER_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_job_becomes_the_command_that_was_ordered():
    hostile = "x; touch pwned $(touch pwned) `touch pwned`\n'\""
    with packed(Order(("status", hostile))) as folder:
        done = run_job(folder)
        assert done.returncode == 2
        assert "is no study's name" in done.stderr
        assert not (folder / "pwned").exists()
    with packed(Order(("ls", "--json"))) as folder:
        done = run_job(folder)
        assert (done.returncode, json.loads(done.stdout)) == (0, [])


def test_a_job_answers_itself_where_the_cluster_names_its_own_address(monkeypatch):
    monkeypatch.setenv("TUNER_ADDRESS", "http://127.0.0.1:9")  # asked there, it would ask there again, for ever
    with packed(Order(("ls", "--json"))) as folder:
        done = run_job(folder)
    assert (done.returncode, json.loads(done.stdout)) == (0, []), done.stderr


def test_a_job_of_another_version_is_refused():
    with packed(Order(("ls",), version="0.0.0")) as folder:
        done = run_job(folder)
    assert done.returncode == 2
    assert "sent by tuner 0.0.0" in done.stderr


def test_code_of_another_python_is_refused_and_nothing_else_of_it(tmp_path: Path):
    for code, refused in ((tmp_path, True), (None, False)):
        with packed(Order(("ls",), python="2.7"), None, code) as folder:
            done = run_job(folder)
        assert (done.returncode, "sent from Python 2.7" in done.stderr) == ((2, True) if refused else (0, False))


def test_a_job_without_code_goes_on_with_the_code_that_an_earlier_one_brought(tmp_path: Path, monkeypatch):
    monkeypatch.setenv(
        "RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps({"runtime_env": {"working_dir": "gcs://of_the_job.zip"}})
    )
    with packed(Order(("resume", "mine"))) as folder:
        kept = folder / "home" / "studies" / "mine" / "code"
        (kept / "tuner").mkdir(parents=True)
        (kept / "tuner" / "__init__.py").touch()
        (kept / "tuner" / "__main__.py").write_text("import os; print(os.environ['RAY_JOB_CONFIG_JSON_ENV_VAR'])")
        done = run_job(folder)
        assert json.loads(done.stdout) == {"runtime_env": {"working_dir": str(kept)}}, done.stderr
