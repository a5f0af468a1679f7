"""One trial, from a plain configuration to the metrics of its last epoch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import pytest
import torch

from tuner import trial
from tuner.datasets import Split
from tuner.errors import ConfigError, dotted
from tuner.losses import LOSSES
from tuner.models import MODELS, ImageShape
from tuner.results import EpochMetrics
from tuner.training.augment import AUGMENTATIONS

MINIMAL: dict[str, Any] = {"dataset": "digits", "model": "mlp"}
DIGITS: dict[str, Any] = {
    "dataset": "digits",
    "model": {"name": "small_cnn", "padding": "same", "channels": [16, 32]},
    "training": {"epochs": 4, "batch_size": 32, "optimizer": {"name": "adam", "learning_rate": 4e-3}},
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Split:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNER_HOME", str(tmp_path_factory.mktemp("home")))
        return trial.load_data(trial.resolve(MINIMAL), seed=0)


def problems(config: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        trial.resolve(config)
    return {dotted(path): message for path, message in caught.value.problems}


def test_every_default_is_filled_in():
    resolved = trial.resolve({**MINIMAL, "mixing": "mixup"})
    assert list(resolved) == ["dataset", "model", "training", "loss", "mixing"]
    assert resolved["loss"] == {"name": "cross_entropy", "label_smoothing": 0.0}
    assert resolved["mixing"] == {
        "name": "mixup",
        "ratio": {"name": "beta", "alpha": 1.0, "per": "example", "scale": 1.0},
        "probability": 1.0,
        "depths": (0,),
        "off_epochs": 0,
    }
    for key, table in trial.SECTIONS.items():
        assert set(resolved[key]) == {
            "name",
            *(parameter.name for parameter in table[resolved[key]["name"]].parameters),
        }
    assert set(resolved["training"]) == {parameter.name for parameter in trial.TRAINING.parameters}
    assert set(resolved["training"]["optimizer"]) > {"name", "learning_rate", "weight_decay"}


def test_no_mixing_is_the_default():
    assert trial.resolve(MINIMAL)["mixing"] == {"name": "none"}


def test_resolving_twice_changes_nothing_and_leaves_the_input_alone():
    given = {**DIGITS, "mixing": {"name": "mixup", "depths": [0, 1], "ratio": "uniform"}}
    before = json.dumps(given)
    resolved = trial.resolve(given)
    assert trial.resolve(resolved) == resolved
    assert trial.resolve(json.loads(json.dumps(resolved))) == resolved
    assert json.dumps(given) == before


def test_all_mistakes_are_reported_at_once_each_at_its_place():
    found = problems(
        {
            "model": {"name": "small_cmn"},
            "training": {"epochs": 0, "optimizer": {"name": "sgd", "momentun": 0.9}, "augment": ["flip", "flop"]},
            "loss": {"label_smoothing": 0.1},
            "mixing": {"name": "mixup", "probability": 1.5, "ratio": {"name": "beta", "alpha": -1}},
            "mixng": "none",
        }
    )
    assert found == {
        "": found[""],
        "mixng": "unknown section 'mixng'; allowed: dataset, model, training, loss, mixing",
        "model.name": found["model.name"],
        "training.epochs": "wanted a whole number >= 1 and <= 100000, read 0",
        "training.optimizer.momentun": found["training.optimizer.momentun"],
        "training.augment[1].name": found["training.augment[1].name"],
        "loss": f"the loss needs a name; known: {', '.join(LOSSES)}",
        "mixing.probability": "wanted a number >= 0 and <= 1, read 1.5",
        "mixing.ratio.alpha": "wanted a number >= 0 and <= 1000000.0, read -1",
    }
    assert found[""].startswith("the trial needs dataset; known: digits, ")
    assert found["training.augment[1].name"].startswith(
        f"unknown augmentation 'flop'; known: {', '.join(AUGMENTATIONS)}"
    )
    assert found["training.augment[1].name"].endswith("; did you mean flip?")
    assert found["model.name"].endswith("; did you mean small_cnn?")
    assert found["training.optimizer.momentun"].endswith("; did you mean momentum?")


def test_what_the_parts_refuse_is_reported_together_each_at_its_place():
    found = problems(
        {
            **MINIMAL,
            "training": {
                "schedule": {"name": "step", "at": [0.5, 0.2]},
                "optimizer": {"name": "sgd", "momentum": 0},
            },
            "mixing": {"name": "mixup", "ratio": {"name": "fixed", "shares": [0.5, 0.1]}},
        }
    )
    assert found == {
        "training.schedule": "the shares in `at` must increase, got [0.5, 0.2]",
        "training.optimizer": "nesterov needs momentum > 0; set nesterov: false",
        "mixing.ratio": "shares must sum to 1, got 0.6; for smaller sums set scale",
    }


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("dataset", "wanted a dataset as {name: ...}, read null"),
        ("model", "wanted a model as {name: ...}, read null"),
        ("training", "wanted keys and values, read null"),
        ("loss", "wanted a loss as {name: ...}, read null"),
        ("mixing", "wanted a mixing method as {name: ...}, read null"),
    ],
)
def test_empty_section_is_named(key, words):
    found = problems({**MINIMAL, key: None})
    assert list(found) == [key]
    assert found[key].startswith(words)


def test_model_that_lacks_a_depth_is_refused_with_those_it_has():
    config = trial.resolve({**MINIMAL, "mixing": {"name": "mixup", "depths": [0, 3]}})
    with pytest.raises(ConfigError, match=r"^mixing\.depths: mlp has depths 0 to 2, got \[0, 3\]$"):
        trial.check_model(config, ImageShape(1, 8, 8), 10)


def test_deepest_stage_is_still_a_depth():
    for name in MODELS:
        config = trial.resolve({**MINIMAL, "model": name})
        with torch.device("meta"):
            deepest = len(MODELS.build(config["model"], ImageShape(1, 28, 28), 10)) - 1
        for depth, is_there in ((deepest, True), (deepest + 1, False)):
            mixed = trial.resolve({**config, "mixing": {"name": "mixup", "depths": [depth]}})
            if is_there:
                trial.check_model(mixed, ImageShape(1, 28, 28), 10)
                continue
            with pytest.raises(ConfigError, match="depths"):
                trial.check_model(mixed, ImageShape(1, 28, 28), 10)


def test_model_that_cannot_take_the_images_is_refused():
    config = trial.resolve({**MINIMAL, "model": "small_cnn"})
    with pytest.raises(ConfigError, match=r"^model: small_cnn needs images of 16 pixels or more, got 8x8; set padding"):
        trial.check_model(config, ImageShape(1, 8, 8), 10)


def test_checking_a_model_takes_no_memory_and_no_random_number():
    huge = trial.resolve({**MINIMAL, "model": {"name": "mlp", "hidden": [1_000_000, 1_000_000]}})
    before = torch.get_rng_state()
    trial.check_model(huge, ImageShape(3, 224, 224), 1000)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "mixing",
    [
        "none",
        {"name": "mixup", "ratio": {"name": "beta", "alpha": 0.4}},
        {"name": "cutmix", "probability": 0.5},
        {"name": "mixup", "depths": [0, 1, 2], "ratio": {"name": "beta", "alpha": 0.4}},
        {"name": "mixup", "ratio": {"name": "dirichlet", "count": 3, "alpha": 0.2}},
    ],
    ids=str,
)
def test_digits_are_learnt_in_a_few_epochs(mixing, digits):
    reported: list[EpochMetrics] = []
    last = trial.run({**DIGITS, "mixing": mixing}, reported.append, split=digits)
    assert last.val_accuracy > 0.85  # ten classes, four epochs
    assert [metrics.epoch for metrics in reported] == [1, 2, 3, 4]
    assert reported[-1] == last
    assert all(metrics.is_finite() for metrics in reported)
    assert reported[-1].val_nll < reported[0].val_nll


def test_same_seed_gives_the_same_trial_and_another_seed_another(digits):
    config = {**DIGITS, "training": {"epochs": 1}, "mixing": "cutmix"}

    def numbers(seed: int) -> dict[str, float]:
        metrics = asdict(trial.run(config, lambda _: None, seed=seed, split=digits))
        return {name: metrics[name] for name in ("train_loss", "val_accuracy", "val_nll", "val_ece")}

    assert numbers(0) == numbers(0)
    assert numbers(0) != numbers(1)


def test_expected_strength_is_that_of_the_policy():
    config = trial.resolve({**MINIMAL, "mixing": {"name": "cutmix", "probability": 0.5}})
    assert trial.expected_strength(config) == pytest.approx(0.125, abs=0.002)


def test_trial_knows_neither_ray_nor_optuna_nor_mlflow():
    code = "import sys, json, tuner.trial; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))
    assert "torch" in loaded
    assert not loaded & {"ray", "optuna", "mlflow", "pydantic", "typer", "rich", "sklearn", "torchvision"}
