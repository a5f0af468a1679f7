"""What a training takes, measured in a few steps, against what it really takes."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from tuner import trial
from tuner.training import checkpoint

CPU = torch.device("cpu")
CONFIG = trial.resolve(
    {
        "dataset": "digits",
        "model": {"name": "small_cnn", "padding": "same"},
        "training": {"epochs": 3, "batch_size": 32},
    }
)


@pytest.fixture(scope="module")
def split():
    return trial.load_data(CONFIG, 0)


def test_an_epoch_takes_about_what_the_steps_foretell(split):
    pace = trial.measure(CONFIG, split, 0, CPU)
    assert pace.steps == -(-len(split.training) // 32)
    training = trial.build(CONFIG, split, 0)
    validation = trial.validation_split(split)
    taken = sorted(training.run_epoch(validation).seconds for _ in range(5))
    assert taken[0] / 4 < pace.epoch_seconds < taken[-1] * 4  # this machine has other work; 1.5 when it has not


def test_a_checkpoint_is_as_large_as_foretold(split, tmp_path):
    pace = trial.measure(CONFIG, split, 0, CPU)
    training = trial.build(CONFIG, split, 0)
    training.run_epoch(trial.validation_split(split))
    checkpoint.save(tmp_path / "0.pt", training.state())
    assert pace.state_bytes < (tmp_path / "0.pt").stat().st_size < pace.state_bytes + 100_000
    assert 0 < pace.model_bytes < pace.state_bytes


def test_measuring_takes_seconds_whatever_the_data(split):
    long = replace(split, training=split.training.take(np.tile(np.arange(len(split.training)), 20)))
    start = time.monotonic()
    pace = trial.measure(CONFIG, long, 0, CPU)
    assert pace.steps > 400
    assert time.monotonic() - start < 60


def test_every_batch_is_mixed_when_it_is_measured():
    block = trial.resolve({"dataset": "digits", "model": "mlp", "mixing": {"name": "mixup", "probability": 0.25}})
    assert trial.always_mixing(block["mixing"])["probability"] == 1.0
    assert trial.always_mixing({"name": "none"}) == {"name": "none"}


def test_memory_is_this_processes_own_most():
    before = trial.memory(CPU)
    held = torch.ones(300, 2**20, dtype=torch.uint8)
    after = trial.memory(CPU)
    assert after.peak_bytes >= before.peak_bytes
    del held
    assert trial.memory(CPU).peak_bytes >= 200 * 2**20
    assert after.total_bytes > after.peak_bytes


def test_a_wider_network_is_more_work():
    from tuner.models import ImageShape

    def work(channels):
        return trial.forward_work(
            trial.resolve({**CONFIG, "model": {**CONFIG["model"], "channels": channels}}), ImageShape(1, 8, 8), 10
        )

    assert work([32, 64]) > 2 * work([16, 16]) > 0
