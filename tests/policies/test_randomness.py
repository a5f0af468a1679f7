"""Every process that mixes draws numbers of its own, and the same ones again from the same seeds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tests.policies.examples import CLASSES, batch, loaded

WORKERS = 3

pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),  # on small machines
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),  # from Python 3.12 on
]


class Same(Dataset[Any]):
    """Batches that differ in nothing but what is drawn for them: example i of a batch is i, and so is its label."""

    def __init__(self, batches: int = 2 * WORKERS) -> None:
        self.length = batches * CLASSES

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.full((1, 4, 4), float(index % CLASSES)), index % CLASSES


def targets(seed: int | None = None, torch_seed: int = 0, epochs: int = 1, **options: Any) -> list[Tensor]:
    """Return the targets of every batch of an epoch or more."""
    policy = loaded("mixup", seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed)
        loader = DataLoader(Same(), batch_size=CLASSES, collate_fn=policy.collate_fn(), **options)
        return [batch_targets for _ in range(epochs) for _, batch_targets in loader]


def all_differ(found: list[Tensor]) -> bool:
    return not any(torch.equal(one, other) for index, one in enumerate(found) for other in found[:index])


@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize("options", [{}, {"persistent_workers": True}], ids=str)
def test_workers_and_epochs_draw_different_numbers(seed, options):
    found = targets(seed, epochs=2, num_workers=WORKERS, **options)
    assert len(found) == 4 * WORKERS
    assert all_differ(found)


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_workers_that_are_not_forked_draw_the_same_as_those_that_are(start):
    forked = targets(num_workers=1)
    others = targets(num_workers=1, multiprocessing_context=start)
    assert all(map(torch.equal, forked, others))


@pytest.mark.parametrize("workers", [0, 2])
def test_torchs_seed_makes_it_repeatable(workers):
    one, same, other = (targets(torch_seed=seed, num_workers=workers) for seed in (1, 1, 2))
    assert all(map(torch.equal, one, same))
    assert not any(map(torch.equal, one, other))


def test_its_own_seed_makes_it_repeatable_whatever_torchs_is():
    one, same, other = targets(3, 1), targets(3, 2), targets(4, 1)
    assert all(map(torch.equal, one, same))
    assert not any(map(torch.equal, one, other))


@pytest.mark.parametrize("seed", [None, 0, -1, 2**70])
def test_nothing_is_drawn_from_torchs_own_generator(seed):
    before = torch.get_rng_state()
    loaded("cutmix", seed=seed)(*batch())
    assert torch.equal(torch.get_rng_state(), before)


def test_mixing_does_not_draw_the_numbers_that_the_rest_of_the_training_draws():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        rng = loaded("mixup").generator()
        assert not torch.isin(torch.rand(100), torch.rand(100, generator=rng)).any()


def test_workers_that_live_on_see_the_epoch():
    policy = loaded({"name": "mixup", "off_epochs": 1}, epochs=3)
    options = {"num_workers": 1, "persistent_workers": True, "multiprocessing_context": "spawn"}
    loader = DataLoader(Same(2), batch_size=CLASSES, collate_fn=policy.collate_fn(), **options)
    unmixed = []
    for epoch in range(3):
        policy.epoch = epoch
        unmixed.append(all(torch.equal(found, torch.eye(CLASSES)) for _, found in loader))
    assert unmixed == [False, False, True]


@pytest.mark.gpu
def test_a_generator_on_the_device_is_refused():
    with pytest.raises(ValueError, match="wanted rng on the CPU"):
        loaded("mixup")(*batch(), rng=torch.Generator("cuda"))
