"""A study file can extend another, and arguments override both."""

from __future__ import annotations

import pytest

from tuner.errors import StudyFileError, UsageError
from tuner.space import Range
from tuner.spec import load
from tuner.spec.document import compose
from tuner.spec.merge import merge


def merged(base, over):
    return merge(compose(base, "base")[0], compose(over, "over")[0], top=True).plain


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ("a: {b: 1, c: 2}", "a: {c: 3}", {"a": {"b": 1, "c": 3}}),
        ("a: [1, 2]", "a: [3]", {"a": [3]}),
        ("a: {b: 1}", "a: 3", {"a": 3}),
        ("name: x\ntrial: 1", "name: y", {"name": "y", "trial": 1}),
        ("a: {choice: {b: {}, c: {}}}", "a: {choice: {c: {d: 1}}}", {"a": {"choice": {"c": {"d": 1}}}}),
        ("a: {choice: {b: {}}}", "a: {name: b}", {"a": {"name": "b"}}),
        ("a: {name: b, c: 1}", "a: {choice: {d: {}}}", {"a": {"choice": {"d": {}}}}),
        ("a: {any: [1, 2]}", "a: {any: [3]}", {"a": {"any": [3]}}),
        ("a: {low: 1, high: 9, log: true}", "a: {low: 2, high: 3}", {"a": {"low": 2, "high": 3}}),
        ("a: {low: 1, high: 9}", "a: 4", {"a": 4}),
        ("a: {name: sgd, momentum: 1}", "a: {name: adam, rate: 2}", {"a": {"name": "adam", "rate": 2}}),
        ("a: {name: sgd, momentum: 1}", "a: {name: sgd, rate: 2}", {"a": {"name": "sgd", "momentum": 1, "rate": 2}}),
        ("a: {name: sgd, momentum: 1}", "a: {rate: 2}", {"a": {"name": "sgd", "momentum": 1, "rate": 2}}),
        ("a: {name: sgd, momentum: 1}", "a: adam", {"a": "adam"}),
        ("a: {name: mlp, hidden: 1}", "a: {import: b:c}", {"a": {"import": "b:c"}}),
        ("a: {import: b:c, width: 1}", "a: {name: mlp}", {"a": {"name": "mlp"}}),
        ("a: {import: b:c, width: 1}", "a: {import: b:d}", {"a": {"import": "b:d"}}),
    ],
)
def test_keys_merge_but_a_domain_or_another_name_takes_the_whole_place(base, over, result):
    assert merged(base, over) == result


def test_mistakes_name_the_file_that_holds_them(write, sound):
    write(sound.replace("momentum", "momentm"), "base.yaml")
    study = write("extends: base.yaml\nname: other\nsearch: {trials: 0}\n")
    with pytest.raises(StudyFileError) as caught:
        load(study)
    first, second = str(caught.value).splitlines()
    assert first.startswith("base.yaml:7:48: trial.training.optimizer.momentm: unknown key")
    assert second.startswith("study.yaml:3:10: search.trials: wanted")


def test_files_extend_each_other_in_a_chain_from_any_folder(write, sound, tmp_path):
    (tmp_path / "deep").mkdir()
    write(sound, "deep/base.yaml")
    write("extends: deep/base.yaml\nseed: 1\nlimits: {hours: 1}\n", "middle.yaml")
    spec = load(tmp_path / write("extends: middle.yaml\nlimits: {failures: 2}\nname: last\n"))
    assert (spec.name, spec.seed, spec.limits.hours, spec.limits.failures) == ("last", 1, 1, 2)
    assert "extends" not in spec.source


@pytest.mark.parametrize(
    ("extends", "words"),
    [
        ("study.yaml", "study.yaml:1:1: extends: a file cannot extend itself: study.yaml extends study.yaml"),
        ("other.yaml", "other.yaml:1:1: extends: a file cannot extend itself: study.yaml extends other.yaml extends"),
        ("missing.yaml", "study.yaml:1:1: extends: cannot read missing.yaml: No such file"),
        (".", "study.yaml:1:1: extends: cannot read .: it is no file"),
        ("'a\\0'", "extends: cannot read"),
    ],
)
def test_extends_that_leads_nowhere_is_refused(write, extends, words):
    write("extends: study.yaml\n", "other.yaml")
    with pytest.raises(StudyFileError) as caught:
        load(write(f"extends: {extends}\n"))
    assert words in str(caught.value)


def test_argument_overrides_one_leaf_read_as_yaml(load_text, sound):
    spec = load_text(sound, "trial.training.epochs=7", "limits.hours=0.5", "search={trials: 3}", "name=b")
    assert (spec.epochs, spec.limits.hours, spec.search.trials, spec.name) == (7, 0.5, 3, "b")


def test_argument_reaches_into_a_domain(load_text, sound):
    spec = load_text(sound, "trial.mixing.choice.mixup.ratio.choice.beta.alpha.high=4.0")
    ratio = spec.trial.entries["mixing"].branches["mixup"].entries["ratio"]
    assert ratio.branches["beta"].entries["alpha"] == Range(0.05, 4.0, log=True)


def test_argument_with_another_name_drops_the_old_keys_in_any_order(load_text, sound):
    optimizer = "trial.training.optimizer"
    spec = load_text(sound, f"{optimizer}.learning_rate=0.01", f"{optimizer}.name=adam")
    assert "momentum" not in spec.source
    assert "learning_rate: 0.01" in spec.source


def test_argument_that_imports_drops_the_old_keys(load_text, sound):
    model = "trial.model"
    with pytest.raises(StudyFileError, match=r"trial\.model\.import: no module named 'nowhere'"):
        load_text(sound, f"{model}.hidden=[3]", f"{model}.import=nowhere:net")


def test_argument_gives_a_bare_name_its_keys(load_text, sound):
    assert "train_examples: 500" in load_text(sound, "trial.dataset.train_examples=500").source


def test_mistaken_argument_is_named_as_it_was_written(complaints, sound):
    assert complaints(sound, "trial.trainin.epochs=3", "seed=x", "search.trials.y=1") == [
        "--set search.trials.y=1: search.trials: wanted a whole number >= 1, read {'y': 1}",
        "--set seed=x: seed: wanted a whole number >= 0 and <= 2147483647, read the text 'x'",
        "--set trial.trainin.epochs=3: trial.trainin: unknown section 'trainin'; "
        "allowed: dataset, model, training, loss, mixing",
    ]


@pytest.mark.parametrize("override", ["seed", "=3", "a..b=3", "", "a=[1", "a=!x 3", "a={b: 1, b: 2}", "a=1\n---\n2"])
def test_argument_of_another_form_is_a_usage_error(load_text, sound, override):
    with pytest.raises(UsageError, match="--set"):
        load_text(sound, override)


def test_a_shipped_study_can_be_extended_by_its_name(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: digits\nname: mine\ntrial: {training: {epochs: 6}}\n")
    study = load(path)
    assert (study.name, study.epochs) == ("mine", 6)
