"""A policy for rows of a table, and for numbers as labels, in anybody's training loop."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tuner import trial
from tuner.catalog import resolve
from tuner.datasets import Examples, Feature, Split
from tuner.errors import ConfigError
from tuner.mixing import METHODS, ColumnGuide, LabelGuide
from tuner.policies import EXPORTS, load_policy, of_trial
from tuner.policies.file import of_text

BANDWIDTH = {"name": "c_mixup", "bandwidth": 0.2}


def batch(count: int = 8, features: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    return torch.randn(count, features, generator=rng), 50 + 10 * torch.randn(count, generator=rng)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def own(block: dict[str, Any], rows: torch.Tensor, guide: Any) -> tuple[torch.Tensor, Any]:
    policy, rng = METHODS.build(resolve(METHODS, block)), seeded()
    drawn = policy.draw(len(rows), rng)
    assert drawn is not None
    return drawn.apply(rows, rng, guide)


def test_c_mixup_mixes_as_the_trials_own_policy_with_its_bandwidth_in_deviations():
    rows, labels = batch()
    policy = load_policy({"mixing": BANDWIDTH, "loss": "mse"}, deviation=10.0)
    mixed, targets = policy(rows, labels, rng=seeded())
    expected, mixture = own(BANDWIDTH, rows, LabelGuide(labels / 10))
    assert torch.equal(mixed, expected)
    torch.testing.assert_close(targets, mixture.targets(labels, 0))
    assert targets.shape == (8, 1)
    assert float(policy.loss(targets, targets)) == 0


@pytest.mark.parametrize("columns", [(), ("a", "b", "b", "c")])
def test_features_of_one_column_stay_together_where_the_file_names_them(columns):
    rows, labels = batch()[0], torch.arange(8) % 2
    policy = load_policy({"mixing": "column_cutmix", "classes": 2, "columns": columns})
    mixed, targets = policy(rows, labels, rng=seeded())
    numbers = [0, 1, 1, 2] if columns else [0, 1, 2, 3]
    expected, mixture = own({"name": "column_cutmix"}, rows, ColumnGuide(torch.tensor(numbers), max(numbers) + 1))
    assert torch.equal(mixed, expected)
    assert torch.equal(targets, mixture.targets(labels, 2))


def test_unmixed_numbers_come_back_as_targets():
    rows, labels = batch()
    mixed, targets = load_policy({"mixing": "none", "loss": "mae"})(rows, labels.double())
    assert mixed is rows
    torch.testing.assert_close(targets, labels[:, None])


@pytest.mark.parametrize(
    ("values", "labels", "words"),
    [
        (
            {"mixing": "mixup", "loss": "mse"},
            torch.arange(8),
            r"wanted a floating point number for each example .* got torch.int64",
        ),
        ({"mixing": "mixup", "loss": "mse"}, torch.rand(8, 1), r"got torch.float32 of shape \[8, 1\]"),
        ({"mixing": "mixup", "classes": 2}, torch.rand(8), r"wanted a whole number for each image as labels"),
        ({"mixing": "column_cutmix", "columns": ["a"], "classes": 2}, torch.arange(8) % 2, r"examples of 1 features"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_in_words(values, labels, words):
    with pytest.raises(ValueError, match=words):
        load_policy(values)(batch()[0], labels)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (BANDWIDTH, "c_mixup is for labels that are numbers; say the loss as well"),
        ({"mixing": BANDWIDTH, "loss": "mse"}, r"load_policy\(..., deviation=labels.std\(\)\)"),
        ({"mixing": "puzzlemix", "loss": "mse"}, "puzzlemix is for labels that are classes; use mixup"),
    ],
)
def test_what_a_policy_cannot_do_is_said_when_it_is_loaded(values, words):
    with pytest.raises(ValueError, match=words):
        load_policy(values)


def test_a_trials_policy_knows_its_data_and_is_read_back():
    features = (Feature("x"), Feature("kind", "a"), Feature("kind", "b"))
    images = torch.randn(6, 3, 1, 1).numpy()
    labels = torch.arange(6).float().numpy()
    part = Examples(images, labels)
    split = Split("own", (), part, part, lambda: part, features=features)
    config = trial.resolve({"dataset": "diabetes", "model": "mlp", "mixing": BANDWIDTH})
    file = of_trial(config, origin="a test", split=split)
    assert file.deviation == pytest.approx(float(labels.std()))
    assert file.columns == ("x", "kind", "kind")
    assert of_text(file.as_yaml()) == file


@pytest.mark.parametrize("to", ["torchvision", "timm"])
def test_no_other_library_mixes_numbers(to):
    file = of_trial(trial.resolve({"dataset": "diabetes", "model": "mlp", "mixing": "mixup"}))
    with pytest.raises(ConfigError, match=rf"{to} mixes shares of classes, and this policy is for numbers"):
        EXPORTS[to](file)
