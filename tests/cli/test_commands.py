"""What the commands print and how they end, where nothing has to run."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_help_names_every_command_and_imports_nothing_heavy():
    code = (
        "import sys\nfrom tuner.cli import main\nsys.argv = ['tuner', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'ray', 'optuna', 'mlflow', 'rich', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "sys.stderr.write(' '.join(sorted(heavy)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in [
        "run",
        "resume",
        "validate",
        "ls",
        "status",
        "trials",
        "methods",
        "datasets",
        "models",
        "export",
        "ui",
        "doctor",
    ]:
        assert f"\n  {name} " in done.stdout
    assert done.stderr == ""


def test_methods_are_listed_with_what_scripts_rely_on(command):
    rows = command("methods", "--json").json
    assert {row["name"] for row in rows} >= {"none", "mixup", "cutmix"}
    for row in rows:
        assert {"name", "counts", "depths", "extra_forward", "extra_backward", "parameters", "source"} <= set(row)
        assert row["source"]
    mixup = next(row for row in rows if row["name"] == "mixup")
    assert mixup["counts"] == [1, None]
    assert {p["name"] for p in mixup["parameters"]} == {"ratio", "probability", "depths", "off_epochs"}


@pytest.mark.parametrize(("what", "names"), [("datasets", {"digits", "npz"}), ("models", {"small_cnn", "mlp"})])
def test_the_catalogue_is_listed(command, what, names):
    rows = command(what, "--json").json
    assert names <= {row["name"] for row in rows}
    assert all(row["summary"] for row in rows)


def test_models_are_listed_with_their_stages(command):
    assert all(row["stages"] for row in command("models", "--json").json)


@pytest.mark.parametrize("name", ["digits", "keras_example", "fashion_mnist"])
def test_shipped_studies_are_valid(command, name, fashion_mnist_installed):
    if name != "digits" and not fashion_mnist_installed:
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    found = command("validate", name, "--json")
    assert found.code == 0, found.err
    assert found.json["valid"]
    assert found.json["corners"] >= 2


def test_validate_builds_models_for_the_real_images(command):
    found = command("validate", "digits", "--set", "trial.model.padding=valid")
    assert found.code == 2
    assert "16 pixels or more, got 8x8; set padding: same" in found.err


def test_validate_finds_depths_that_the_model_lacks(command):
    found = command("validate", "digits", "--set", "trial.mixing={name: mixup, depths: [0, 9]}")
    assert found.code == 2
    assert "depths 0 to 3, got [0, 9]" in found.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "nowhere.yaml"), "nowhere.yaml"),
        (("run", "digit"), "digits"),
        (("run", "digits", "--set", "serach.trials=3"), "did you mean search?"),
        (("run", "digits", "--set", "trial.mixing.choice.mixup.probability={low: 1.0, high: 0.5}"), "low"),
        (("run", "digits", "--set", "objective.metric=val_acuracy"), "val_accuracy"),
        (("run", "digits", "--set", "resources.gpus=1.5"), "nearest that do: 1 and 2"),
        (("run", "digits", "--set", "name=../../x"), "a-z"),
        (("run", "digits", "--set", "limits.hours=8 hours"), "a number > 0"),
        (("run", "digits", "--set", "scheduler.reduction=1"), ">= 2"),
        (("run", "digits", "--set", "search.trials=0"), ">= 1"),
        (("run", "digits", "--set", "trial.dataset={name: image_folder, path: /nowhere}"), "/nowhere"),
        (("status", "digits"), "no study named digits"),
        (("resume", "digits"), "no study named digits"),
        (("trials", "../.."), "is no study's name"),
    ],
)
def test_bad_input_ends_with_2_a_message_and_nothing_started(command, tmp_path, arguments, words):
    found = command(*arguments)
    assert found.code == 2
    assert words in found.err
    assert found.out == ""
    assert not (tmp_path / "home" / "studies").exists()


def test_unknown_commands_and_options_end_with_2(command):
    assert command("tune").code == 2
    assert command("ls", "--jason").code == 2


def test_without_studies_the_list_is_empty(command):
    assert command("ls", "--json").json == []
