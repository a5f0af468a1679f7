"""Training on tables: a law is learnt under every policy, in the target's unit, and goes on from where it was."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from tests.training import meta
from tests.training.tables import C_MIXUP, POLICIES, configured, table, training
from tuner import trial
from tuner.losses import LOSSES
from tuner.mixing import ColumnGuide
from tuner.results import EpochMetrics
from tuner.training import (
    Training,
    checkpoint,
    standard_scaling,
    target_scaling,
)
from tuner.training.batches import normalised
from tuner.training.metrics import regression_scores

devices = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
every_policy = pytest.mark.parametrize("mixing", POLICIES, ids=str)


def run(under_way: Training, epochs: int, data: Any = None) -> EpochMetrics:
    on_device = trial.validation_split(
        data or table(is_regression=under_way.targets is not None), under_way.training.device
    )
    return [under_way.run_epoch(on_device) for _ in range(epochs)][-1]


@devices
@every_policy
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_linear_law_is_learnt_in_the_targets_unit(mixing, precision, device):
    last = run(training(mixing, device=device, precision=precision), 30)
    assert last.val_r2 is not None
    assert last.val_r2 > (0.85 if mixing == "column_cutmix" else 0.9)  # which keeps a row's target but for the share
    deviation = float(table().validation.labels.std())
    assert last.val_rmse == pytest.approx(deviation * (1 - last.val_r2) ** 0.5, rel=1e-4)
    assert last.wrong() == ""
    assert last.val_accuracy is None


@every_policy
def test_classes_of_a_table_are_learnt(mixing):
    if mixing is C_MIXUP:
        mixing = {"name": "switch", "policies": ["mixup", "column_cutmix"]}
    last = run(training(mixing, is_regression=False), 30)
    assert last.val_accuracy is not None
    assert last.val_accuracy > 0.9
    assert last.val_rmse is None


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", {"name": "huber", "delta": 0.1}], ids=str)
def test_every_loss_of_numbers_learns(loss):
    assert (run(training(loss=loss), 30).val_r2 or 0) > 0.9


def test_losses_of_numbers_are_those_of_their_names():
    outputs, targets = torch.tensor([[0.0], [3.0]]), torch.tensor([[1.0], [0.0]])
    values = {
        name: float(LOSSES.build({"name": name, **more})(outputs, targets))
        for name, more in (("mse", {}), ("mae", {}), ("huber", {"delta": 2.0}))
    }
    assert values == {"mse": 5.0, "mae": 2.0, "huber": pytest.approx((0.5 + 2 * (3 - 1)) / 2)}


def test_unit_and_place_of_the_target_do_not_matter():
    data = table()
    other = replace(
        data,
        **{
            name: replace(part, labels=(part.labels * np.float32(0.01) - 5).astype(np.float32))
            for name, part in (("training", data.training), ("validation", data.validation))
        },
    )
    first, second = (run(training(C_MIXUP, data=one), 8, one) for one in (data, other))
    assert first.val_r2 == pytest.approx(second.val_r2, abs=1e-3)
    assert first.val_rmse == pytest.approx(100 * second.val_rmse, rel=1e-2)
    assert first.train_loss == pytest.approx(second.train_loss, rel=1e-2)


@every_policy
def test_two_epochs_a_checkpoint_and_two_more_are_four(mixing, tmp_path):
    def numbers(metrics: EpochMetrics) -> dict[str, Any]:
        return {
            name: value for name, value in asdict(metrics).items() if name not in {"seconds", "examples_per_second"}
        }

    whole, first, second = (training(mixing) for _ in range(3))
    expected = numbers(run(whole, 4))
    run(first, 2)
    checkpoint.save(tmp_path / "trial.pt", first.state())
    second.restore(checkpoint.load(tmp_path / "trial.pt"))
    assert numbers(run(second, 2)) == expected
    torch.testing.assert_close(second.state()["model"], whole.state()["model"], rtol=0, atol=0)
    assert numbers(run(training(mixing, seed=1), 4)) != expected


def test_features_are_scaled_one_by_one_and_one_that_never_changes_becomes_0():
    images = table().training.images
    inputs = normalised(torch.from_numpy(images), standard_scaling(images, torch.device("cpu")))[:, :, 0, 0]
    deviation, mean = torch.std_mean(inputs.double(), dim=0, correction=0)
    torch.testing.assert_close(mean, torch.zeros(5, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(deviation, torch.tensor([1.0, 1, 1, 0, 1], dtype=torch.float64), atol=1e-5, rtol=0)


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(0)
    labels, predicted = (rng.normal(1000, 30, 50).astype(np.float32) for _ in range(2))
    found = regression_scores(torch.from_numpy(predicted)[:, None], torch.from_numpy(labels))
    assert found.rmse == pytest.approx(root_mean_squared_error(labels, predicted))
    assert found.mae == pytest.approx(mean_absolute_error(labels, predicted))
    assert found.r2 == pytest.approx(r2_score(labels, predicted), rel=1e-5)
    same = torch.full((4,), 2.5)
    assert regression_scores(same[:, None], same).r2 == 1
    assert regression_scores(same[:, None] + 1, same).r2 == 0


def test_the_test_split_is_scored_in_the_targets_unit():
    under_way = training()
    run(under_way, 30)
    scored = trial.score_on_test(under_way, table().load_test())
    assert set(scored) == {"rmse", "mae", "r2"}
    assert scored["r2"] > 0.9
    assert 1 < scored["mae"] <= scored["rmse"] < 45


@pytest.mark.parametrize("mixing", [*POLICIES, {"name": "switch", "policies": ["column_cutmix", "c_mixup"]}], ids=str)
def test_host_waits_for_the_device_only_after_an_epochs_last_step(mixing):
    data = table(80)
    targets = target_scaling(data.training.labels, meta.DEVICE)
    columns = ColumnGuide(torch.tensor([0, 1, 1, 2, 3], device=meta.DEVICE), 4)
    meta.check_waits_after_the_last_step(configured(mixing), data, targets=targets, columns=columns)
