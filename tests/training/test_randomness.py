"""A trial's randomness is its own: it takes nothing from the process and leaves nothing behind."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.examples import MIXUP, configured, split, training, validation
from tuner import trial
from tuner.training import RandomStreams

POLICIES = ["none", MIXUP, {"name": "cutmix", "probability": 0.5}]


def process_state() -> bytes:
    # Python's own generator is left out: in tests beartype draws from it, to choose the list items that it checks.
    return torch.get_rng_state().numpy().tobytes() + pickle.dumps(np.random.get_state())


@pytest.mark.parametrize("mixing", POLICIES, ids=str)
def test_process_wide_generators_are_untouched_by_a_trial(mixing):
    before = process_state()
    trial.run(configured(mixing, epochs=1), lambda _: None, split=split())
    assert process_state() == before


@pytest.mark.parametrize("mixing", POLICIES, ids=str)
def test_trial_is_unaffected_by_the_process_wide_generators(mixing):
    losses = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        under_way = training(mixing)
        torch.manual_seed(seed + 10)
        losses.append(under_way.run_epoch(validation()).train_loss)
    assert losses[0] == losses[1]


def test_trials_in_turns_do_not_disturb_each_other():
    alone = training(MIXUP)
    expected = [alone.run_epoch(validation()).train_loss for _ in range(2)]
    first, other = training(MIXUP), training(MIXUP, seed=5)
    losses = []
    for _ in range(2):
        losses.append(first.run_epoch(validation()).train_loss)
        other.run_epoch(validation())
    assert losses == expected


def test_policies_of_one_seed_start_from_the_same_weights():
    states = [training(mixing).state()["model"] for mixing in POLICIES]
    for state in states[1:]:
        assert all(torch.equal(state[name], states[0][name]) for name in states[0])
    other = training("none", seed=1).state()["model"]
    assert not torch.equal(other["0.0.weight"], states[0]["0.0.weight"])


def test_policies_of_one_seed_see_the_same_batches_in_the_same_order():
    seen: list[list[Tensor]] = []
    for mixing in POLICIES:
        under_way, batches = training(mixing), []

        def record(images: Tensor, _: torch.Generator, batches: list[Tensor] = batches) -> Tensor:
            batches.append(images)
            return images

        # Recorded after the basic augmentation, which must not depend on the policy either.
        under_way.recipe = replace(under_way.recipe, augment=(*under_way.recipe.augment, record))
        under_way.run_epoch(validation())
        under_way.run_epoch(validation())
        seen.append(batches)
    for batches in seen[1:]:
        assert all(torch.equal(mine, first) for mine, first in zip(batches, seen[0], strict=True))


def test_every_epoch_has_an_order_of_its_own():
    under_way = training()
    orders = [torch.randperm(67, generator=under_way.streams.order) for _ in range(2)]
    assert not torch.equal(*orders)


def test_what_is_drawn_inside_goes_on_from_one_time_to_the_next():
    streams = RandomStreams(0, torch.device("cpu"))
    drawn = []
    for _ in range(2):
        with streams.own():
            drawn.append(torch.rand(3))
    assert not torch.equal(*drawn)
    with RandomStreams(0, torch.device("cpu")).own():
        assert torch.equal(torch.rand(6), torch.cat(drawn))


def test_streams_differ_from_each_other_and_between_seeds():
    states = [state for seed in (0, 1) for state in RandomStreams(seed, torch.device("cpu")).state().values()]
    assert len({tuple(state.tolist()) for state in states}) == 8


def test_an_error_inside_gives_the_process_its_own_state_back():
    def draw_and_fail() -> None:
        torch.rand(3)
        raise KeyError

    before = torch.get_rng_state()
    with pytest.raises(KeyError), RandomStreams(0, torch.device("cpu")).own():
        draw_and_fail()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_gpus_global_generator_is_untouched_too(device):
    torch.cuda.manual_seed(7)
    before = torch.cuda.get_rng_state()
    trial.run(configured(MIXUP, epochs=1), lambda _: None, split=split(), device=device)
    assert torch.equal(torch.cuda.get_rng_state(), before)
