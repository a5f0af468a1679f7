"""How many trials share a GPU, by what one was seen to take; the device's numbers are given, so no GPU is needed."""

from __future__ import annotations

import time

import pytest
import torch

from tuner import spec
from tuner.errors import UsageError
from tuner.search import memory, probing, sharing
from tuner.search.session import Node, slots
from tuner.spec.study import Resources
from tuner.trial import Memory, Pace

GIB = 2**30
PACE = Pace(0.01, 10, 0.1, 0.1, 1000, 500)


def taking(peak: float, context: float = 0.5, total: float = 24) -> Memory:
    return Memory(int(peak * GIB), int(context * GIB), 0, int(total * GIB))


@pytest.mark.parametrize(
    ("used", "cpus", "trials"),
    [
        (taking(4.0), 64, 4),  # four of 5 GiB with the margin and half a one of context; a fifth does not fit
        (taking(4.0), 3, 3),  # the processors beside the GPU hold no more
        (taking(0.01, 0.4), 16, 16),
        (taking(23.0), 16, 1),  # it fits alone, and without the margin
        (taking(4.0, context=40), 64, 3),  # somebody else is on the device: that is no trial's context
        (taking(0.0001, 0.0001), 1000, 100),
    ],
)
def test_as_many_trials_share_a_gpu_as_memory_and_processors_hold(used, cpus, trials):
    assert sharing.trials_a_gpu(used, cpus, cpus=1) == trials
    assert trials == 1 or trials * (sharing.MARGIN * used.peak_bytes) <= used.total_bytes


def test_the_gpu_with_the_fewest_processors_beside_it_decides():
    assert sharing.cpus_a_gpu([Node(64, 8), Node(8, 2), Node(128, 0)]) == 4


def on_a_gpu(share: float) -> int:
    return slots([Node(1000, 1)], 1, share, "auto")


@pytest.mark.parametrize("trials", range(2, 101))
def test_shares_let_no_more_on_a_gpu_than_fit_and_a_larger_one_fewer(trials):
    share = sharing.share_for(trials)
    assert 0.9 * trials <= on_a_gpu(share) <= trials
    assert on_a_gpu(sharing.fewer(share)) < on_a_gpu(share)
    assert Resources(gpus=share).gpus == share
    assert trials > 25 or on_a_gpu(share) - on_a_gpu(sharing.fewer(share)) == 1


def test_a_whole_gpu_stays_whole():
    assert [sharing.fewer(gpus) for gpus in (1.0, 2.0, 0.0)] == [1.0, 2.0, 0.0]


def test_the_study_takes_the_share_and_says_why():
    study = spec.load("digits", ["resources.gpus=auto"])
    measured = probing.Measured((PACE,), taking(4.0), "NVIDIA A10G")
    shared = sharing.from_measured(study, measured, [Node(16, 1)])
    assert shared.spec.resources.gpus == 0.25
    assert shared.memory_bytes == 5 * GIB
    assert "4 trials share a GPU (NVIDIA A10G, 24 GiB): one takes 4.00 GiB and a context of 0.50" in shared.words
    assert study.resources.gpus == "auto"
    assert shared.spec.source == study.source  # a resume finds the file that it had


def test_auto_is_none_where_there_is_no_gpu_and_the_rest_stays_as_it_was():
    study = spec.load("digits", ["resources.gpus=auto"])
    shared = sharing.settled(study, None, [Node(4, 0)])
    assert shared.spec.resources.gpus == 0
    assert "no GPU" in shared.words
    fixed = spec.load("digits", ["resources.gpus=0.5"])
    assert sharing.settled(fixed, None, [Node(4, 1)]) == sharing.Shared(fixed)


def test_a_cluster_without_a_gpu_may_get_one_so_that_is_a_warning(monkeypatch):
    study = spec.load("digits", ["resources.gpus=auto"])
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert sharing.settled(study, None, [Node(4, 0)]).warning == ""
    monkeypatch.setenv("RAY_ADDRESS", "somewhere:6379")
    shared = sharing.settled(study, None, [Node(4, 0)])
    assert shared.spec.resources.gpus == 0
    assert "no node with a GPU had joined the cluster" in shared.warning


def test_a_gpu_that_torch_cannot_use_is_refused_rather_than_shared():
    study = spec.load("digits", ["resources.gpus=auto"])
    with pytest.raises(UsageError, match="torch cannot use"):
        sharing.from_measured(study, probing.Measured((PACE,), taking(1.0), "cpu"), [Node(4, 1)])


def test_a_trial_waits_until_its_memory_is_free():
    free = iter([1, 2, 3, 10])
    assert memory.wait_for_room(5, lambda: next(free)) is None


def test_a_trial_whose_memory_never_is_free_says_so_in_time():
    start = time.monotonic()
    assert memory.wait_for_room(5 * GIB, lambda: 3 * GIB, seconds=0.6) == 3 * GIB
    assert 0.6 <= time.monotonic() - start < 5
    words = memory.occupied("NVIDIA A10G", 5 * GIB, 3 * GIB)
    assert "NVIDIA A10G has 3.00 GiB free, and the trial needs 5.00" in words
    assert memory.ran_out(MemoryError(words))  # so it is tried once more, alone


def test_what_was_not_measured_is_guessed_by_the_share():
    assert memory.wanted_bytes(7, 0.5, 100) == 7
    assert memory.wanted_bytes(None, 0.5, 100) == 40
    assert memory.wanted_bytes(None, 2.0, 100) == 80


def test_a_share_that_is_yet_to_be_measured_is_asked_for_as_a_whole_gpu_where_there_is_one():
    assert sharing.first_gpus("auto", [Node(4, 0), Node(4, 2)]) == 1
    assert sharing.first_gpus("auto", [Node(4, 0)]) == 0
    assert sharing.first_gpus(0.25, [Node(4, 0)]) == 0.25


@pytest.mark.gpu
def test_a_measured_trial_leaves_room_for_all_that_share_the_gpu():
    study = spec.load("digits", ["resources.gpus=auto"])
    from tuner import trial

    device = torch.device("cuda")
    config = trial.resolve({"dataset": "digits", "model": {"name": "small_cnn", "padding": "same"}})
    split = trial.load_data(config, 0)
    pace = trial.measure(config, split, 0, device)
    found = trial.memory(device)
    assert pace.step_seconds > 0
    assert torch.cuda.memory_allocated() <= found.peak_bytes < found.total_bytes
    shared = sharing.from_measured(study, probing.Measured((pace,), found, "cuda"), [Node(8, 1)])
    trials = int(1 / shared.spec.resources.gpus_known)
    assert trials * shared.memory_bytes <= found.total_bytes


@pytest.mark.gpu
def test_a_worker_that_lets_go_of_a_trial_gives_its_memory_back(tmp_path):
    from tests.search.test_worker import CONFIG, Actor
    from tuner import trial

    split = trial.load_data(trial.resolve(CONFIG), 0)
    actor = Actor(split, tmp_path / "0.pt")
    actor.device, actor.memory_bytes, actor.share = torch.device("cuda"), 2**20, 1.0
    actor.validation = trial.validation_split(split, actor.device)
    held = torch.cuda.memory_allocated()
    actor.step()
    assert torch.cuda.memory_allocated() > held
    actor.let_go()
    assert torch.cuda.memory_allocated() <= held
    assert torch.cuda.memory_reserved() <= held + 2**22
