"""An epoch of training: what is measured, what is trained, and that the host does not wait within it."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.training import meta
from tests.training.examples import MIXUP, configured, split, training, validation
from tuner import trial
from tuner.losses import soft_cross_entropy
from tuner.training import DeviceSplit
from tuner.training.augment import flip

PLAIN = {"augment": [], "schedule": "constant", "model": {"name": "mlp", "hidden": [8]}}
STILL = {"optimizer": {"name": "sgd", "learning_rate": 1e-30, "weight_decay": 0.0}}
POLICIES = ["none", MIXUP, {"name": "cutmix"}]


@pytest.mark.parametrize("mixing", POLICIES, ids=str)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_learns_in_either_precision(mixing, precision):
    data = split(training=400)
    under_way = training(mixing, data=data, precision=precision, epochs=8, batch_size=32)
    last = [under_way.run_epoch(validation(data)) for _ in range(8)][-1]
    assert last.is_finite()
    assert last.val_accuracy > 0.8
    assert {parameter.dtype for parameter in under_way.model.parameters()} == {torch.float32}


def test_bf16_runs_the_model_in_half_precision_and_the_loss_in_full():
    under_way = training(MIXUP, precision="bf16")
    seen: list[torch.dtype] = []

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        seen.extend((logits.dtype, targets.dtype))
        return soft_cross_entropy(logits, targets)

    under_way.recipe = replace(under_way.recipe, loss=loss)
    under_way.run_epoch(validation())
    assert set(seen[::2]) == {torch.bfloat16}
    assert set(seen[1::2]) == {torch.float32}


def test_train_loss_is_the_mean_over_the_examples_trained():
    # One example many times, and a last batch of one that is left out: the mean loss is that example's.
    data = split(training=33)
    data.training.images[:] = data.training.images[0]
    data.training.labels[:] = data.training.labels[0]
    under_way = training(data=data, normalize="unit", **PLAIN, **STILL)
    inputs = torch.from_numpy(data.training.images[:1]).float() / 255
    expected = torch.nn.functional.cross_entropy(under_way.model(inputs), torch.tensor([data.training.labels[0]]))
    assert under_way.run_epoch(validation()).train_loss == pytest.approx(float(expected.detach()), rel=1e-5)


def test_batch_size_1_trains_every_example():
    under_way = training(batch_size=1, **PLAIN)
    before = under_way.state()["model"]["0.1.weight"]
    metrics = under_way.run_epoch(validation())
    assert metrics.train_loss > 0
    assert not torch.equal(under_way.state()["model"]["0.1.weight"], before)


def test_validation_is_on_unmixed_and_unaugmented_images_in_evaluation_mode():
    under_way = training(MIXUP)
    metrics = under_way.run_epoch(validation())
    again = under_way.evaluate(validation())
    assert (metrics.val_accuracy, metrics.val_nll, metrics.val_ece) == (again.accuracy, again.nll, again.ece)
    data = split()
    factor, offset = under_way.scaling
    with torch.no_grad():
        logits = under_way.model.eval()(torch.from_numpy(data.validation.images).float() * factor + offset)
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(data.validation.labels))
    assert metrics.val_nll == pytest.approx(float(loss), rel=1e-5)


def test_validation_larger_than_one_evaluation_batch_is_all_counted():
    data = split(validation=2001)
    under_way = training(data=data)
    whole = under_way.evaluate(validation(data))
    parts = [
        under_way.evaluate(DeviceSplit(data.validation.images[at], data.validation.labels[at], torch.device("cpu")))
        for at in (slice(0, 500), slice(500, 2001))
    ]
    assert whole.accuracy == pytest.approx((parts[0].accuracy * 500 + parts[1].accuracy * 1501) / 2001)


@pytest.mark.parametrize("mixing", POLICIES, ids=str)
def test_diverged_training_comes_out_as_metrics_that_are_not_finite(mixing):
    under_way = training(mixing, optimizer={"name": "sgd", "learning_rate": 1e25})
    last = [under_way.run_epoch(validation()) for _ in range(3)][-1]
    assert not last.is_finite()


def test_unmixed_share_of_batches_has_plain_targets():
    under_way = training({"name": "mixup", "probability": 0.5}, batch_size=4)
    pure: list[bool] = []

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        pure.append(bool((targets.amax(dim=1) == 1).all()))
        return soft_cross_entropy(logits, targets)

    under_way.recipe = replace(under_way.recipe, loss=loss)
    under_way.run_epoch(validation())
    assert 3 < sum(pure) < 14  # of 17 batches


@pytest.mark.parametrize("mixing", POLICIES, ids=str)
def test_host_waits_for_the_device_only_after_an_epochs_last_step(mixing):
    meta.check_waits_after_the_last_step(configured(mixing), split(), augment=(flip(),))


@pytest.mark.gpu
@pytest.mark.parametrize("mixing", POLICIES, ids=str)
def test_gpu_is_waited_for_no_more_often_in_an_epoch_of_more_steps(mixing):
    waits = []
    for examples in (160, 1600):
        data = split(training=examples)
        under_way = trial.build(configured(mixing), data, 0, "cuda")
        on_gpu = trial.validation_split(data, "cuda")
        under_way.run_epoch(on_gpu)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            under_way.run_epoch(on_gpu)
            torch.cuda.set_sync_debug_mode("default")
        waits.append(sum("synchronizing CUDA operation" in str(warning.message) for warning in caught))
    assert 0 < waits[1] == waits[0]


@pytest.mark.gpu
@pytest.mark.parametrize("mixing", POLICIES, ids=str)
def test_gpu_learns_what_the_cpu_learns(mixing):
    data = split(training=400)
    for device in ("cpu", "cuda"):
        under_way = trial.build(configured(mixing, epochs=8, batch_size=32), data, 0, device)
        last = [under_way.run_epoch(trial.validation_split(data, device)) for _ in range(8)][-1]
        assert last.val_accuracy > 0.8
