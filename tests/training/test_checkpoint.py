"""A checkpoint is there whole or not at all, every change to it is noticed, and no code in it runs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from tuner.training import checkpoint

STATE = {"model": {"weight": torch.arange(600.0)}, "epochs_done": 3, "optimizer": {"state": {0: {"lr": 0.1}}}}


@pytest.fixture
def saved(tmp_path) -> Path:
    checkpoint.save(tmp_path / "folder" / "trial.pt", STATE)
    return tmp_path / "folder" / "trial.pt"


def test_what_was_saved_is_loaded(saved):
    loaded = checkpoint.load(saved)
    assert torch.equal(loaded["model"]["weight"], STATE["model"]["weight"])
    assert {**loaded, "model": None} == {**STATE, "model": None}


def test_a_later_save_replaces_the_file_and_leaves_nothing_else(saved):
    checkpoint.save(saved, {"epochs_done": 4})
    assert checkpoint.load(saved) == {"epochs_done": 4}
    assert list(saved.parent.iterdir()) == [saved]


def test_a_state_that_cannot_be_saved_leaves_the_old_file(saved):
    with pytest.raises(AttributeError, match="pickle"):
        checkpoint.save(saved, {"loss": lambda: None})
    assert checkpoint.load(saved)["epochs_done"] == 3
    assert list(saved.parent.iterdir()) == [saved]


def test_a_save_that_fails_at_the_last_removes_its_partial_file(tmp_path):
    (tmp_path / "trial.pt").mkdir()
    with pytest.raises(IsADirectoryError):
        checkpoint.save(tmp_path / "trial.pt", STATE)
    assert [path.name for path in tmp_path.iterdir()] == ["trial.pt"]


def test_every_flipped_bit_is_noticed(saved):
    whole, draw = saved.read_bytes(), random.Random(0)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        saved.write_bytes(damaged)
        with pytest.raises(
            ValueError, match=r"trial\.pt is no checkpoint, or was changed .*; delete it to start afresh"
        ):
            checkpoint.load(saved)


@pytest.mark.parametrize("kept", [0, 1, 30, 60, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_noticed(saved, kept):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(ValueError, match="delete it to start afresh"):
        checkpoint.load(saved)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x02}q\x00.", b"PK\x03\x04" + bytes(100)])
def test_another_kind_of_file_is_refused(tmp_path, content):
    (tmp_path / "trial.pt").write_bytes(content)
    with pytest.raises(ValueError, match="is no checkpoint"):
        checkpoint.load(tmp_path / "trial.pt")


class Payload:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.target,)


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path):
    checkpoint.save(tmp_path / "trial.pt", {"model": Payload(tmp_path / "ran")})
    with pytest.raises(ValueError, match="holds more than tensors and plain values, and is not read"):
        checkpoint.load(tmp_path / "trial.pt")
    assert not (tmp_path / "ran").exists()


def test_missing_file_is_the_callers_to_answer(tmp_path):
    with pytest.raises(FileNotFoundError):
        checkpoint.load(tmp_path / "nosuch.pt")
