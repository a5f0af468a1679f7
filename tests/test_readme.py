"""The README is true: its commands end well, its study file is valid, its Python runs."""

from __future__ import annotations

import json
import shlex
import sys

import pytest

from tests import readme
from tests.processes import tuner
from tuner import space, spec, trial
from tuner.search import check

QUICK = {"trials", "status", "recommend", "report", "ls", "plan", "methods", "datasets", "models", "doctor"}


def test_the_first_commands_are_the_install_and_the_tests():
    assert readme.commands()[:2] == [
        "pip install uv && uv run tuner run search_spaces/digits.yaml",
        "pip install uv && uv run pytest -n auto --dist loadfile",
    ]


@pytest.mark.ray
@pytest.mark.timeout(600)
@pytest.mark.parametrize("arguments", [a for a in readme.tuner_arguments() if a[0] in QUICK], ids=" ".join)
def test_commands_end_well_after_the_quick_start(quick_start, arguments):
    code, out, err = tuner(quick_start.home, *arguments)
    assert code == 0, err
    assert json.loads(out)


def test_every_command_is_tested_somewhere():
    tested_elsewhere = {"run", "confirm", "compare", "ui", "validate", "preview", "export"}  # tests/cli
    assert {arguments[0] for arguments in readme.tuner_arguments()} <= QUICK | tested_elsewhere


def test_the_study_file_is_valid(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(readme.blocks("yaml")[0])
    assert spec.load(path).name == "my-study"


@pytest.mark.parametrize("command", [one for one in readme.commands() if "name: csv" in one])
def test_a_table_of_ones_own_is_loaded_as_the_command_says(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = (f"{row},{'abc'[row % 3]},{1000 + 7.5 * row}" for row in range(400))
    (tmp_path / "houses.csv").write_text("\n".join(["size,zip,price", *rows]))
    _, _, _, _, study, *options = shlex.split(command)
    loaded = spec.load(study, options[1::2])
    assert set(options[::2]) == {"--set"}
    assert loaded.name == "houses"
    assert check.load(loaded).classes == ()


def test_the_python_example_runs(capsys):
    space: dict = {}
    exec(readme.python_with("trial.run"), space)
    assert space["last"].epoch == 5
    assert space["last"].val_accuracy > 0.5


def test_the_model_of_ones_own_trains_as_its_study_file_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_models.py").write_text(readme.python_with("class Network"))
    (tmp_path / "study.yaml").write_text(readme.blocks("yaml")[1])
    study = spec.load("study.yaml", ["trial.training.epochs=1"])
    split = check.load(study)
    for corner in space.corners(study.trial):
        assert trial.run(corner.config, lambda _: None, split=split).is_finite()
    del sys.modules["my_models"]
