"""What a study file may say, its defaults, and how each mistake is answered."""

from __future__ import annotations

import pytest

from tuner.errors import StudyFileError
from tuner.space import Choice, Section
from tuner.spec import load, shipped_studies
from tuner.spec.study import Resources


def test_all_but_name_and_trial_has_a_default(load_text, sound):
    spec = load_text(sound)
    assert (spec.name, spec.seed, spec.epochs) == ("small", 0, 4)
    assert (spec.objective.metric, spec.objective.mode) == ("val_accuracy", "max")
    assert (spec.search.sampler, spec.search.trials, spec.search.baselines) == ("tpe", 64, "none")
    assert (spec.scheduler.name, spec.scheduler.grace_epochs, spec.scheduler.reduction) == ("asha", 3, 3)
    assert (spec.confirm.finalists, spec.confirm.seeds) == (3, 5)
    assert (spec.resources.cpus, spec.resources.gpus, spec.resources.concurrent) == (1, 0, "auto")
    assert (spec.limits.hours, spec.limits.failures) == (None, 5)
    assert isinstance(spec.trial, Section)
    assert isinstance(spec.trial.entries["mixing"], Choice)
    assert spec.warnings == ()


def test_epochs_may_be_left_to_the_catalogue(load_text, sound):
    assert load_text(sound.replace("epochs: 4", "batch_size: 64")).epochs == 30


def test_default_grace_shrinks_to_a_short_budget_but_a_given_one_is_an_error(load_text, complaints, sound):
    assert load_text(sound, "trial.training.epochs=2").scheduler.grace_epochs == 2
    (line,) = complaints(sound + "scheduler: {grace_epochs: 5}\n")
    assert line.startswith("study.yaml:17:13: scheduler.grace_epochs: grace_epochs 5 is more than the 4 epochs")
    assert load_text(sound + "scheduler: {name: fifo, grace_epochs: 5}\n")


def test_objective_mode_follows_from_the_metric(load_text, complaints, sound):
    assert load_text(sound + "objective: {metric: val_nll}").objective.mode == "min"
    (line,) = complaints(sound + "objective: {metric: val_nll, mode: max}")
    assert line.startswith("study.yaml:17:30: objective.mode: val_nll is better when it is smaller")


def test_what_has_no_score_on_the_test_split_cannot_be_confirmed(load_text, complaints, sound):
    (line,) = complaints(sound + "objective: {metric: train_loss}")
    assert line.startswith("study.yaml:17:13: objective.metric: train_loss has no counterpart on the test split")
    assert load_text(sound + "objective: {metric: train_loss}\nconfirm: {seeds: 0}").confirm.seeds == 0


def test_every_mistake_of_a_file_is_reported_at_once_in_order(complaints):
    found = complaints(
        """\
name: Bad Name
serach: {trials: 3}
seed: no
trial:
  dataset: digitz
  training: {epochs: 4, batch_size: {low: 8, high: 2}, optimizer: {name: adam, learning_rate: 1e-3x}}
  model: {name: small_cnn, padding: same}
  mixing: {choice: {mixup: {probabilty: 1, ratio: {choice: {beta: {alpha: {low: -1, high: 8.0}}}}}}}
scheduler: {grace_epochs: 9, reduction: 1}
limits: {hours: 8 hours}
seed: 3
"""
    )
    starts = [
        "study.yaml:1:1: name: wanted 1 to 63 of a-z, 0-9 and -",
        "study.yaml:2:1: serach: unknown key 'serach'; allowed: name, trial,",
        "study.yaml:3:1: seed: wanted a whole number >= 0 and <= 2147483647, read the text 'no'",
        "study.yaml:5:3: trial.dataset",
        "study.yaml:6:38: trial.training.batch_size.low: low 8 must be below high 2",
        "study.yaml:6:80: trial.training.optimizer.learning_rate: wanted a number > 0, read the text '1e-3x'",
        "study.yaml:8:29: trial.mixing.choice.mixup.probabilty: unknown key 'probabilty' of mixup",
        "study.yaml:8:76: trial.mixing.choice.mixup.ratio.choice.beta.alpha.low: wanted a number >= 0",
        "study.yaml:9:13: scheduler.grace_epochs: grace_epochs 9 is more than the 4 epochs",
        "study.yaml:9:30: scheduler.reduction: wanted a whole number >= 2, read 1",
        "study.yaml:10:10: limits.hours: wanted a number > 0 or null, read the text '8 hours'",
        "study.yaml:11:1: seed: duplicate key 'seed', first on line 3",
    ]
    assert [line[: len(start)] for line, start in zip(found, starts, strict=False)] == starts
    assert len(found) == len(starts)
    assert "did you mean search?" in found[1]
    assert "did you mean digits?" in found[3]
    assert "did you mean probability?" in found[6]


@pytest.mark.parametrize(
    ("addition", "words"),
    [
        ("seed: -1", "seed: wanted a whole number >= 0"),
        ("seed: 1.0", "seed: wanted a whole number"),
        ("seed: true", "read true"),
        ("seed: 2147483648", "<= 2147483647"),
        ("limits:", "limits: wanted keys and values, read null"),
        ("limits: {hours: -1}", "wanted a number > 0 or null, read -1"),
        ("limits: {hours: .inf}", "read inf"),
        ("limits: {hours: .nan}", "read nan"),
        ("limits: {failures: 0}", "wanted a whole number >= 1, read 0"),
        ("search: {trials: 0}", "search.trials: wanted a whole number >= 1, read 0"),
        (
            "search: {sampler: tpee}",
            "wanted one of tpe, gp, random, qmc, cmaes, grid, read the text 'tpee'; did you mean tpe?",
        ),
        ("search: {trails: 3}", "did you mean trials?"),
        ("search: {baselines: 3}", "wanted literature, none or a list of mixing blocks, read 3"),
        ("search: {baselines: [3]}", "search.baselines: wanted literature, none or a list"),
        ("scheduler: {reduction: 1}", "wanted a whole number >= 2, read 1"),
        ("scheduler: asha", "scheduler: wanted keys and values, read the text 'asha'"),
        ("confirm: {seeds: five}", "confirm.seeds: wanted a whole number >= 0, read the text 'five'"),
        ("objective: {metric: acc}", "no trial reports 'acc'; reported each epoch: val_accuracy, val_nll"),
        ("objective: {metric: val_acuracy}", "did you mean val_accuracy?"),
        ("resources: {gpus: 1.5}", "nearest that do: 1 and 2"),
        ("resources: {gpus: 0.3}", "nearest that do: 0.25 and 0.333"),
        ("resources: {gpus: 0.9}", "nearest that do: 0.5 and 1"),
        ("resources: {gpus: 1.0e-9}", "nearest that do: 0.01"),
        ("resources: {gpus: -1}", "read -1"),
        ("resources: {gpus: all}", "a number of GPUs"),
        ("resources: {cpus: 0}", "wanted a whole number >= 1, read 0"),
        ("resources: {concurrent: atuo}", "resources.concurrent: wanted one of auto or a whole number >= 1"),
        ("extends: 3", "wanted another study file's path, read 3"),
    ],
)
def test_value_out_of_range_or_type_says_what_was_read_and_what_is_allowed(complaints, sound, addition, words):
    (line,) = complaints(f"{sound}{addition}\n")
    assert line.startswith("study.yaml:17:")
    assert words in line


@pytest.mark.parametrize("gpus", [0, 0.5, 0.33, 0.333, 0.25, 0.2, 0.1, 0.05, 1, 2, 8.0])
def test_share_of_a_gpu_that_fills_it_is_taken(gpus):
    assert Resources(gpus=gpus).gpus == gpus


@pytest.mark.parametrize(
    "name", ["../../x", "'a b'", "''", "-a", "a-", "a_b", "A", "\u0430bc", "a" * 64, '"a\\n"', "a/b", "3", "no.", "~"]
)
def test_unsafe_name_is_refused(complaints, sound, name):
    (line,) = complaints(sound.replace("name: small\n", f"name: {name}\n"))
    assert line.startswith("study.yaml:1:1: name: wanted")


@pytest.mark.parametrize("name", ["a", "7", "a" * 63, "fashion-mnist-2", "no"])
def test_safe_name_is_taken(load_text, sound, name):
    text = f"'{name}'" if name.isdigit() else name
    assert load_text(sound.replace("name: small\n", f"name: {text}\n")).name == name


def test_missing_name_and_trial_are_both_named(complaints):
    assert complaints("seed: 1") == [
        "study.yaml:1:1: the study needs name: a name, for example fashion-mnist",
        "study.yaml:1:1: the study needs trial: one trial: dataset, model, training, loss, mixing",
    ]


def test_empty_trial_says_what_it_needs(complaints):
    assert all(line.startswith("study.yaml:2:1: trial: the trial needs") for line in complaints("name: a\ntrial: {}\n"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("dataset: digits", "dataset: {any: [digits, cifar10]}", "write one study for each"),
        (
            "dataset: digits",
            "dataset: {name: digits, train_examples: {low: 100, high: 900}}",
            "write one study for each",
        ),
        ("epochs: 4", "epochs: {low: 2, high: 8}", "it is the budget at which all trials are compared"),
        ("alpha: 1.0", "alpha: .nan", "alpha: wanted a number >= 0 and <= 1000000.0, read nan"),
        ("name: beta, alpha: 1.0", "name: dirichlet, count: {low: 2, high: 3}", "cutmix mixes 2 sources, got 3"),
        ("high: 8.0", "high: 1.0e+7", "alpha.high: wanted a number"),
        ("none: {}", "nome: {}", "unknown mixing method 'nome'"),
        ("epochs: 4", "epochs: 4\n    tpyo: 1", "unknown key 'tpyo'"),
        ("  mixing:", "  miixing: none\n  mixing:", "unknown section 'miixing'"),
    ],
)
def test_trial_that_the_catalogue_cannot_build_is_refused_before_it_runs(complaints, sound, old, new, words):
    found = complaints(sound.replace(old, new, 1))
    assert all(line.startswith("study.yaml:") for line in found)
    assert any(words in line for line in found)


def test_impossible_domain_does_not_hide_the_other_mistakes(complaints, sound):
    found = complaints(sound.replace("low: 0.05", "low: 9").replace("momentum", "momentm").replace("count", "cuont"))
    assert [line.split(": ")[1].split(".")[-1] for line in found] == ["momentm", "low", "cuont"]


def test_baselines_are_given_as_blocks_or_bare_names(load_text, sound):
    spec = load_text(sound + "search: {baselines: [none, {name: mixup, ratio: {name: beta, alpha: 1}}]}")
    assert spec.search.baselines == [{"name": "none"}, {"name": "mixup", "ratio": {"name": "beta", "alpha": 1}}]


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("{name: mixup, ratio: {name: beta, alpha: 9}}", "alpha 9 is outside 0.05 to 8.0"),
        ("{name: mixup, ratio: beta}", "the baseline lacks mixing.ratio.alpha, which the space searches"),
        ("{name: mixup, ratio: {name: beta, alpha: {low: 1, high: 2}}}", "a baseline is one setting, not a space"),
        ("{name: mixup, ratio: {name: beta, alpha: -1}}", "wanted a number >= 0"),
        ("mixxup", "did you mean mixup?"),
        ("{name: none, depths: [0]}", "unknown key 'depths' of none"),
        ("{name: cutmix, ratio: {name: beta, alpha: 2}}", "the space fixes it at 1.0"),
    ],
)
def test_baseline_outside_the_space_is_named_with_its_line(complaints, sound, block, words):
    (line,) = complaints(f"{sound}search:\n  baselines:\n    - none\n    - {block}\n")
    assert line.startswith("study.yaml:20:")
    assert ": search.baselines[1]" in line
    assert words in line


def test_no_mixing_is_a_baseline_of_every_space(load_text, sound):
    assert load_text(sound.replace("      none: {}\n", "") + "search: {baselines: [none]}")


def test_grid_needs_steps_and_enough_trials(load_text, complaints, sound):
    found = complaints(sound + "search: {sampler: grid}")
    assert [line.split(": ")[0] for line in found] == ["study.yaml:14:20", "study.yaml:15:51"]
    assert all("add step, or use any" in line for line in found)
    stepped = sound.replace("{low: 0.05, high: 8.0, log: true}", "{any: [0.1, 1.0]}").replace(
        "high: 1.0", "high: 1.0, step: 0.1"
    )
    (line,) = complaints(stepped + "search: {sampler: grid, trials: 20}")
    assert "the grid has 24 points; set trials to at least that" in line
    assert load_text(stepped + "search: {sampler: grid, trials: 24}")


def test_one_branch_and_nothing_to_search_are_warnings(load_text, sound):
    head, _ = sound.split("    choice:\n      none", 1)
    spec = load_text(head + "    choice: {mixup: {}}\n")
    assert [w.split(": ")[:2] for w in spec.warnings] == [["study.yaml:8:3", "trial.mixing"]]
    spec = load_text(head + "    name: mixup\n")
    assert spec.warnings == ("study.yaml:2:1: trial: no value is a domain, so all trials are the same",)


@pytest.mark.parametrize(
    "line",
    [
        "password: hunter2",
        "limits: {hours: 1, api_key: hunter2}",
        "resources: {hf-token: hunter2}",
        "search: {baselines: [{secret: {a: hunter2}}]}",
        "extends2: postgresql://me:hunter2@host/db",
        "search: {sampler: 'see https://me:hunter2@host/'}",
        "search: {sampler: &x 'https://me:hunter2@host', trials: *x}",
    ],
)
def test_secret_is_refused_and_never_shown(complaints, sound, line):
    found = complaints(f"{sound}{line}\n")
    assert any("environment" in complaint for complaint in found)
    assert not any("hunter2" in complaint for complaint in found)


def test_secret_of_an_argument_is_refused_and_never_shown(complaints, sound):
    for override in ("trial.dataset.token=hunter2", "limits={password: hunter2}", "name=http://me:hunter2@host"):
        found = complaints(sound, override)
        assert any("environment" in complaint for complaint in found)
        assert not any("hunter2" in complaint for complaint in found)


def test_words_that_only_resemble_secrets_are_taken(complaints, sound):
    (line,) = complaints(sound.replace("padding: same", "padding: same, tokens_per_patch: 3"))
    assert "unknown key 'tokens_per_patch'" in line


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "f.yaml:1:1: the file is empty; write at least name: and trial:"),
        (b"# only a comment\n", "the file is empty"),
        (b"- a\n", "f.yaml:1:1: the file holds ['a'] alone"),
        (b"name: caf\xe9\n", "line 1 is not UTF-8 text (byte 0xe9)"),
        (b"#" * 1_000_001, "larger than 1000000 bytes"),
    ],
)
def test_file_that_is_no_study_is_refused(tmp_path, monkeypatch, data, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.yaml").write_bytes(data)
    with pytest.raises(StudyFileError) as caught:
        load("f.yaml")
    assert words in str(caught.value)


def test_byte_order_mark_and_windows_lines_are_read(tmp_path, sound):
    file = tmp_path / "f.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + sound.replace("\n", "\r\n").encode())
    assert load(file).name == "small"


@pytest.mark.parametrize("path", ["nosuch.yaml", "nosuch", "a\0b", "x" * 5000, ""])
def test_missing_file_is_answered_with_the_shipped_names(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyFileError) as caught:
        load(path)
    assert ", ".join(shipped_studies()) in str(caught.value)


def test_folder_is_no_study_file(tmp_path):
    with pytest.raises(StudyFileError, match="it is no file"):
        load(tmp_path)
