"""A policy file says the same when it is read again, and is answered where it says what cannot be."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.mixing.cases import Case, one_case_a_setting
from tuner import trial
from tuner.errors import ConfigError
from tuner.policies import load_policy
from tuner.policies.file import PolicyFile, of_text, of_trial, of_values, read

SWITCH = {"name": "switch", "policies": ["none", {"name": "patchup", "depths": [2]}], "weights": [1, 3]}
BI_TEMPERED = {"name": "bi_tempered", "t1": 0.7, "label_smoothing": 0.1}


@pytest.mark.parametrize("case", one_case_a_setting(), ids=str)
def test_every_method_and_switch_survives_the_text(case: Case):
    block = {"name": case.method, **({case.switched[0]: case.switched[1]} if case.switched else {})}
    file = of_values(block)
    assert of_text(file.as_yaml()) == file


def test_all_else_survives_the_text():
    file = of_values(
        {
            "mixing": SWITCH,
            "loss": BI_TEMPERED,
            "classes": 3,
            "epochs": 9,
            "stages": ["layer1", "body.0"],
            "origin": "trial 3: it's 'best'\n\u0085 so far # yes",
        }
    )
    assert of_text(file.as_yaml()) == file


@given(st.floats(1e-6, 1e6))
def test_numbers_survive_the_text_and_other_readers(alpha):
    file = of_values({"name": "mixup", "ratio": {"name": "beta", "alpha": alpha}})
    assert of_text(file.as_yaml()).mixing["ratio"]["alpha"] == alpha
    # PyYAML, which knows YAML 1.1 alone, takes 1e-05 for text.
    assert float(yaml.safe_load(file.as_yaml())["mixing"]["ratio"]["alpha"]) == alpha


def test_a_mixing_block_alone_is_a_policy_file():
    assert of_text("name: cutmix") == of_text("mixing: cutmix") == PolicyFile(of_values({"name": "cutmix"}).mixing)


def test_a_trials_policy_has_its_loss_epochs_and_stages():
    config = {"dataset": "digits", "model": "torchvision", "mixing": "mixup", "training": {"epochs": 7}}
    config |= {"model": {"name": "torchvision", "stages": ["layer1"]}, "loss": BI_TEMPERED}
    file = of_trial(trial.resolve(config), 10, "a test")
    assert (file.epochs, file.classes, file.stages, file.origin) == (7, 10, ("layer1",), "a test")
    assert file.loss["t1"] == 0.7
    assert file.label_smoothing == 0.1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mixing: {name: mixup, probabilty: 1}", "unknown key 'probabilty' of mixup"),
        ("mixing: mixupp\nclasses: 0", "did you mean mixup?"),
        ("mixing: mixupp\nclasses: 0", "classes: wanted a whole number >= 1 or null, read 0"),
        ("mixing: {name: cutmix, ratio: {name: dirichlet}}", "mixing: cutmix mixes 2 sources, got 3"),
        ("classes: 10", "mixing"),
        ("version: 2\nmixing: none", "a newer tuner wrote it"),
        ("[mixup]", "wanted keys and values"),
        ("", "wanted keys and values"),
        ("mixing: none\nmixing: mixup", "line 2: found duplicate key"),
        ("mixing: !!python/object/apply:os.getcwd []", "line 1: could not determine a constructor"),
        ("mixing: {import: os:getcwd}", "a mixing method cannot be imported"),
        ("a: &a [x]\nmixing: *a", "aliases"),
        ("[" * 3000 + "]" * 3000, "not YAML"),
        ("mixing: [", "line 1"),
        ('mixing: "\\U99999999"', ""),
        ("#" * 100_001, "at most 100000"),
    ],
)
def test_what_cannot_be_is_answered_with_the_files_name(tmp_path, text, words):
    (tmp_path / "policy.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"policy\.yaml is no policy file of this tuner: ") as caught:
        read(tmp_path / "policy.yaml")
    assert words in str(caught.value)


def test_every_mistake_has_its_path():
    with pytest.raises(ConfigError) as caught:
        of_values({"mixing": {"name": "switch", "policies": ["mixup", {"name": "fmix", "decay": "x"}]}, "loss": "l2"})
    assert [problem.path for problem in caught.value.problems] == [("loss", "name"), ("mixing", "policies", 1, "decay")]


def test_what_the_caller_knows_goes_before_the_file():
    policy = load_policy({"mixing": "mixup", "classes": 3, "epochs": 9}, classes=5)
    assert (policy.file.classes, policy.file.epochs) == (5, 9)
    assert load_policy(policy.file, epochs=4).file.epochs == 4
