"""A worker's checkpoint is never ahead of what the study has stored."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import resource
import threading
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


def test_the_trained_network_is_written_with_the_last_epoch_to_a_file_of_its_own(split, tmp_path):
    actor = Actor(split, tmp_path / "0.pt")
    for _ in range(2):
        actor.step()
        assert list(tmp_path.iterdir()) == []
    last = actor.step()
    assert [path.name for path in tmp_path.iterdir()] == ["0.trained.pt"]
    network = trial.load_network(tmp_path / "0.trained.pt")
    predicted = network(torch.from_numpy(split.validation.images)).argmax(1).numpy()
    assert (predicted == split.validation.labels).mean() == last["val_accuracy"]
    assert network.epoch == 3


def test_a_trial_killed_after_its_network_was_written_goes_on_from_its_checkpoint_all_the_same(
    split, tmp_path, monkeypatch
):
    monkeypatch.setattr(worker, "CHECKPOINT_SECONDS", 0.0)
    first = Actor(split, tmp_path / "0.pt")
    told = [first.step() for _ in range(3)]
    assert (tmp_path / "0.trained.pt").exists()  # and nobody stored the third epoch
    again = Actor(split, tmp_path / "0.pt").step()
    assert (again["epoch"], again["val_nll"]) == (3, told[2]["val_nll"])


def test_over_the_budget_nothing_is_written_it_is_said_once_and_the_trial_goes_on(split, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "CHECKPOINT_SECONDS", 0.0)
    free = Actor(split, tmp_path / "free" / "0.pt")
    expected = [free.step() for _ in range(3)]
    size = (tmp_path / "free" / "0.pt").stat().st_size
    actor = Actor(split, tmp_path / "full" / "0.pt")
    actor.checkpoint_bytes = 2 * size - 1  # one checkpoint, and no second beside it while it is replaced
    told = [actor.step() for _ in range(3)]
    assert checkpoint.load(tmp_path / "full" / "0.pt")["epochs_done"] == 1
    assert [step["val_nll"] for step in told] == [step["val_nll"] for step in expected]
    (warning,) = told[2]["warnings"][:1]
    assert re.match(r"its checkpoint could not be written: .* GB more are over limits.checkpoint_gigabytes: ", warning)
    assert "if its process is lost, it repeats more" in warning
    after_the_loss = Actor(split, tmp_path / "full" / "0.pt")
    assert [after_the_loss.step()["val_nll"] for _ in range(2)] == [step["val_nll"] for step in expected[1:]]


def test_a_budget_without_room_for_anything_costs_a_warning_each(split, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "CHECKPOINT_SECONDS", 0.0)
    actor = Actor(split, tmp_path / "0.pt")
    actor.checkpoint_bytes = 1
    warnings = [actor.step()["warnings"] for _ in range(3)]
    assert list(map(len, warnings)) == [0, 1, 1]
    assert warnings[1][0].startswith("its checkpoint could not be written")
    assert warnings[2][0].startswith("its trained network could not be written")
    assert list(tmp_path.iterdir()) == []


def test_a_network_whose_state_cannot_be_pickled_trains_without_checkpoints(split, tmp_path, monkeypatch):
    """Faults, line 20: what somebody's own network keeps beside its tensors may be anything."""
    monkeypatch.setattr(worker, "CHECKPOINT_SECONDS", 0.0)
    actor = Actor(split, tmp_path / "0.pt")
    actor.step()
    actor.training.model.register_module("logged", Logged())
    told = [actor.step(), actor.step()]
    assert [step["epoch"] for step in told] == [2, 3]
    assert "its checkpoint could not be written: " in told[0]["warnings"][0]
    assert "its trained network could not be written: " in told[1]["warnings"][0]
    assert list(tmp_path.iterdir()) == []


class Logged(torch.nn.Identity):
    def get_extra_state(self):
        return threading.Lock()


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


def too_large() -> None:
    torch.empty(10**15)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        too_large,
    ],
)
def test_memory_that_ran_out_is_told_apart_and_with_its_numbers(split, tmp_path, error):
    def fail():
        if callable(error):
            error()
        raise error

    actor = Actor(split, tmp_path / "0.pt")
    actor._continued = fail
    told = actor.step()
    assert told["out_of_memory"]
    numbers = r"; the machine has \d+\.\d\d of \d+\.\d\d GiB free, this process holds \d+\.\d\d GiB$"
    assert re.search(r"^\w*Error.*" + numbers, told["failure"])


def test_what_may_have_spoilt_the_device_is_raised_so_that_the_process_is_replaced(split, tmp_path):
    def fail():
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")

    actor = Actor(split, tmp_path / "0.pt")
    actor._continued = fail
    with pytest.raises(torch.AcceleratorError):
        actor.step()


def test_what_the_trial_raises_is_told_in_words(split, tmp_path):
    actor = Actor(split, tmp_path / "0.pt")
    actor.trial_config = {**actor.trial_config, "model": {"name": "wide_resnet", "depth": 11}}
    told = actor.step()
    assert "depth must be 4 more than a multiple of 6" in told["failure"]
    assert not told["out_of_memory"]
