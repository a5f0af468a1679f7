"""A worker's checkpoint is never ahead of what the study has stored."""

from __future__ import annotations

import hashlib
import io
import pickle
import resource
from pathlib import Path

import pytest
import torch

from tuner import trial
from tuner.search import worker
from tuner.training import checkpoint

CONFIG = {
    "dataset": "digits",
    "model": {"name": "small_cnn", "padding": "same", "channels": [2, 2]},
    "training": {"epochs": 3},
}


class Actor(worker.TrialActor):
    """The actor without Ray around it."""

    def __init__(self, split, path: Path, epochs: int = 0, pausing_epochs: tuple[int, ...] = ()) -> None:
        self.split, self.device = split, torch.device("cpu")
        self.validation = trial.validation_split(split)
        stored = {"epochs": epochs, "pausing_epochs": pausing_epochs}
        self._begin({"number": 0, "config": trial.resolve(CONFIG), "seed": 0, "checkpoint": str(path), **stored})


@pytest.fixture(scope="module")
def split():
    return trial.load_data(trial.resolve(CONFIG), 0)


def test_the_state_before_a_step_is_what_is_saved(split, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "CHECKPOINT_SECONDS", 0.0)
    actor = Actor(split, tmp_path / "0.pt")
    assert actor.step()["epoch"] == 1
    assert not (tmp_path / "0.pt").exists()  # epoch 1 may not be stored yet
    assert actor.step()["epoch"] == 2
    assert checkpoint.load(tmp_path / "0.pt")["epochs_done"] == 1


def test_another_worker_goes_on_with_the_same_numbers(split, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "CHECKPOINT_SECONDS", 0.0)
    first = Actor(split, tmp_path / "0.pt")
    expected = [first.step() for _ in range(3)]
    again = Actor(split, tmp_path / "0.pt").step()  # the last save was before the third step
    for key in ("epoch", "train_loss", "val_nll", "val_accuracy"):
        assert again[key] == expected[2][key]


def test_a_trial_that_may_have_to_wait_is_saved_with_what_the_study_may_not_have_stored(split, tmp_path):
    first = Actor(split, tmp_path / "0.pt", pausing_epochs=(2,))
    expected = [first.step() for _ in range(3)]
    told = Actor(split, tmp_path / "0.pt", epochs=1).step()  # the driver died before it stored epoch 2
    assert told == expected[1]
    after = Actor(split, tmp_path / "0.pt", epochs=2).step()
    assert (after["epoch"], after["train_loss"]) == (3, expected[2]["train_loss"])


def test_a_damaged_checkpoint_begins_the_trial_again(split, tmp_path):
    (tmp_path / "0.pt").write_bytes(b"damaged")
    told = Actor(split, tmp_path / "0.pt").step()
    assert told["epoch"] == 1
    assert "began again at epoch 1: " in told["warnings"][0]
    assert not (tmp_path / "0.pt").exists()


def test_a_checkpoint_that_would_run_code_is_not_loaded(split, tmp_path):
    content = pickle.dumps(Malicious(tmp_path / "ran"), protocol=2)
    buffer = io.BytesIO()
    torch.save({"epochs_done": 1, "model": Malicious(tmp_path / "ran")}, buffer)
    for payload in (content, buffer.getvalue()):
        digest = hashlib.sha256(payload).digest()
        (tmp_path / "0.pt").write_bytes(b"tuner checkpoint 1\n" + digest + payload)
        told = Actor(split, tmp_path / "0.pt").step()
        assert told.get("epoch") == 1, told
        assert not (tmp_path / "ran").exists()


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_full_disk_costs_the_checkpoint_and_not_the_trial(split, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "CHECKPOINT_SECONDS", 0.0)
    actor = Actor(split, tmp_path / "0.pt")
    actor.step()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        told = actor.step()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert told["epoch"] == 2
    assert "its checkpoint could not be written" in told["warnings"][0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [MemoryError("no"), torch.OutOfMemoryError("CUDA out of memory")])
def test_memory_that_ran_out_is_told_apart_from_the_trials_own_errors(split, tmp_path, error):
    def fail():
        raise error

    actor = Actor(split, tmp_path / "0.pt")
    actor._continued = fail
    told = actor.step()
    assert told["out_of_memory"]
    assert "MemoryError: " in told["failure"]


def test_what_the_trial_raises_is_told_in_words(split, tmp_path):
    actor = Actor(split, tmp_path / "0.pt")
    actor.trial_config = {**actor.trial_config, "model": {"name": "wide_resnet", "depth": 11}}
    told = actor.step()
    assert "depth must be 4 more than a multiple of 6" in told["failure"]
    assert not told["out_of_memory"]
