"""`tuner export` writes the policy that it says, or says why it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Command
from tests.search.conftest import begin, drive, train
from tuner import load_policy, spec
from tuner.search.search import Search

STUDY = """
name: simulated
trial:
  dataset: {name: digits}
  model: {name: small_cnn, padding: same}
  training: {epochs: 9}
  mixing:
    choice:
      none: {}
      mixup: {ratio: {name: beta, alpha: {low: 0.1, high: 1.0}, per: batch}}
      fmix: {}
search: {trials: 4, baselines: [{name: none}, {name: mixup, ratio: {name: beta, alpha: 0.2}}, {name: fmix}]}
"""


@pytest.fixture
def search(command: Command, tmp_path: Path) -> Search:
    """Begin a study: trial 0 does not mix, 1 is mixup with one ratio a batch, 2 is fmix."""
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return begin(spec.load(path))


@pytest.fixture
def study(search: Search) -> str:
    """Drive the study to its end; trial 1 is the best."""
    drive(search, lambda assignment, epoch: (0.9 if assignment.number == 1 else 0.5) + 0.001 * epoch)
    return search.study.study_name


def test_the_best_trials_policy_is_written_for_load_policy(command: Command, study: str, tmp_path: Path):
    out = tmp_path / "policy.yaml"
    found = command("export", study, "--to", "yaml", "--out", str(out))
    assert found.code == 0, found.err
    assert found.json["trial"] == 1
    assert found.json["basis"] == "best of the search; not confirmed on fresh seeds"
    assert found.json["out"] == str(out)
    assert found.json["text"] == out.read_text()
    policy = load_policy(out)
    assert policy.file.mixing["ratio"]["alpha"] == found.json["policy"]["ratio"]["alpha"] == 0.2
    assert (policy.file.classes, policy.file.epochs) == (10, 9)
    assert policy.file.origin == f"Trial 1 of study {study}: best of the search; not confirmed on fresh seeds"
    assert policy(torch.rand(4, 1, 8, 8), torch.arange(4))[1].shape == (4, 10)


@pytest.mark.parametrize(("to", "name"), [("torchvision", "mix"), ("timm", "mixup")])
def test_code_for_other_libraries_runs(command: Command, study: str, to: str, name: str):
    found = command("export", study, "--to", to, "--json")
    assert found.code == 0, found.err
    names: dict = {}
    exec(found.json["text"], names)
    assert names[name](torch.rand(4, 1, 8, 8), torch.arange(4))[1].shape == (4, 10)


def test_people_get_the_text_or_where_it_went(command: Command, study: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("tuner.cli.output.wants_json", lambda _: False)
    assert load_policy_text(command("export", study).out, tmp_path) == 0.2
    shown = command("export", study, "--out", str(tmp_path / "own.yaml")).out
    assert "best of the search; not confirmed on fresh seeds" in " ".join(shown.split())


def load_policy_text(text: str, folder: Path) -> float:
    (folder / "shown.yaml").write_text(text)
    return load_policy(folder / "shown.yaml").file.mixing["ratio"]["alpha"]


def test_a_trial_can_be_chosen_by_its_number(command: Command, study: str):
    found = command("export", study, "--trial", "0", "--classes", "3")
    assert found.json["policy"] == {"name": "none"}
    assert found.json["classes"] == 3
    assert found.json["basis"] == "chosen by its number; not confirmed on fresh seeds"


def test_what_cannot_be_expressed_is_refused_with_reasons_and_advice(command: Command, study: str, tmp_path: Path):
    found = command("export", study, "--to", "torchvision", "--trial", "2", "--out", str(tmp_path / "mix.py"))
    assert found.code == 2
    assert "trial 2 cannot be written for torchvision:" in found.err
    assert "  mixing.name: torchvision mixes by mixup and cutmix alone, not by fmix" in found.err
    assert "--to yaml writes any policy" in found.err
    assert found.out == ""
    assert not (tmp_path / "mix.py").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--trial", "99"), "has no trial 99; it has 0 to 3"),
        (("--to", "keras"), "keras"),
        (("--out", "nowhere/policy.yaml"), "--out: there is no folder 'nowhere'; make it first"),
        (("--out", "."), "--out: . cannot be written"),
    ],
    ids=str,
)
def test_bad_arguments_are_answered(command: Command, study: str, arguments, words):
    found = command("export", study, *arguments)
    assert found.code == 2
    assert words in found.err
    assert found.out == ""


def test_a_study_without_a_complete_trial_is_answered(command: Command, search: Search):
    train(search, search.ask(), lambda _, epoch: 0.1 * epoch, upto=2)
    found = command("export", "simulated")
    assert found.code == 2
    assert "no trial of simulated has run to its end" in found.err
    basis = command("export", "simulated", "--trial", "0").json["basis"]
    assert basis == "chosen by its number, running after 2 epochs; not confirmed on fresh seeds"


def test_data_that_is_gone_is_answered_with_the_way_round(command: Command, tmp_path: Path):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    search = begin(spec.load(path, [f"trial.dataset={{name: npz, path: {tmp_path / 'gone.npz'}}}"]))
    search.ask()
    found = command("export", "simulated", "--trial", "0")
    assert found.code == 2
    assert "gone.npz" in found.err
    assert "give --classes" in found.err
    assert command("export", "simulated", "--trial", "0", "--classes", "10").json["classes"] == 10
