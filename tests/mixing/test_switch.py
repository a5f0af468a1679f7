"""A switch draws one of several policies a batch; any policy can leave the last epochs unmixed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from scipy import stats

from tuner import trial
from tuner.catalog import resolve
from tuner.errors import ConfigError
from tuner.mixing import METHODS, Policy

MIXUP: dict[str, Any] = {"name": "mixup", "ratio": {"name": "beta", "alpha": 0.2}}
CUTMIX: dict[str, Any] = {"name": "cutmix"}
TRIAL: dict[str, Any] = {"dataset": "digits", "model": "mlp", "training": {"epochs": 3}}


def built(config: Any) -> Policy:
    return METHODS.build(resolve(METHODS, config))


def switch(*policies: Any, **more: Any) -> Policy:
    return built({"name": "switch", "policies": list(policies), **more})


@pytest.mark.parametrize(("weights", "shares"), [([], [0.5, 0.5]), ([3, 1], [0.75, 0.25]), ([0, 0.1], [0.0, 1.0])])
def test_each_policy_is_drawn_by_its_weight(weights, shares, rng):
    policy = switch(MIXUP, CUTMIX, weights=weights)
    drawn = Counter(one.policy.name for one in (policy.draw(2, rng) for _ in range(2000)) if one)
    assert sum(drawn.values()) == 2000
    assert stats.binomtest(drawn["mixup"], 2000, shares[0]).pvalue > 1e-3


def test_the_policy_drawn_decides_for_itself_whether_to_mix(rng):
    policy = switch("none", {**MIXUP, "probability": 0.5}, probability=0.8)
    mixed = sum(policy.draw(2, rng) is not None for _ in range(4000))
    assert stats.binomtest(mixed, 4000, 0.8 * 0.5 * 0.5).pvalue > 1e-3


def test_switches_nest():
    inner = {"name": "switch", "policies": [MIXUP, CUTMIX]}
    policy = switch(inner, "fmix", weights=[2, 1])
    assert [method.name for method in policy.methods()] == ["mixup", "cutmix", "fmix"]


def test_strength_is_the_mean_of_the_policies():
    mixed = switch(MIXUP, "none", weights=[1, 3], probability=0.5)
    assert mixed.expected_strength() == pytest.approx(0.5 * 0.25 * built(MIXUP).expected_strength())


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"policies": []}, "mixing: policies is empty; give at least one mixing block"),
        ({"weights": [1.0]}, "mixing: wanted one weight for each of 2 policies, got 1"),
        ({"weights": [0, 0]}, "mixing: all weights are 0; give at least one policy a weight above 0"),
        (
            {"policies": ["mixup", "cutmixx"]},
            r"mixing\.policies\[1\]\.name: unknown mixing method 'cutmixx'.*did you mean",
        ),
        (
            {"policies": ["mixup", {**CUTMIX, "ratio": {"name": "dirichlet", "count": 3}}]},
            r"mixing\.policies\[1\]: cutmix mixes 2 sources, got 3",
        ),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_switch_is_said_where_it_stands(parameters, words):
    with pytest.raises(ConfigError, match=words):
        trial.resolve({**TRIAL, "mixing": {"name": "switch", "policies": [MIXUP, CUTMIX], **parameters}})


@pytest.mark.parametrize("config", [MIXUP, {"name": "switch", "policies": [MIXUP]}], ids=["method", "switch"])
def test_the_last_epochs_are_left_unmixed(config, rng):
    policy = built({**config, "off_epochs": 2})
    mixes = {left: policy.draw(4, rng, epochs_left=left) is not None for left in (5, 3, 2, 1)}
    assert mixes == {5: True, 3: True, 2: False, 1: False}
    assert policy.draw(4, rng) is not None


def test_a_policy_within_a_switch_can_be_off_earlier_than_the_others(rng):
    policy = switch({**MIXUP, "off_epochs": 3}, CUTMIX)
    names = {one.policy.name for one in (policy.draw(4, rng, epochs_left=2) for _ in range(50)) if one}
    assert names == {"cutmix"}


def test_turning_mixing_off_for_every_epoch_is_refused():
    with pytest.raises(
        ConfigError, match=r"off_epochs 3 leaves none of the 3 epochs to mix in; set it below 3, or use"
    ):
        trial.resolve({**TRIAL, "mixing": {**MIXUP, "off_epochs": 3}})
    assert trial.resolve({**TRIAL, "mixing": {**MIXUP, "off_epochs": 2}})["mixing"]["off_epochs"] == 2


def test_a_policy_of_a_switch_that_is_always_off_is_refused_where_it_stands():
    policies = [{**CUTMIX, "off_epochs": 1}, {**MIXUP, "off_epochs": 3}]
    with pytest.raises(
        ConfigError, match=r"mixing\.policies\[1\]\.off_epochs: off_epochs 3 leaves none of the 3 epochs"
    ):
        trial.resolve({**TRIAL, "mixing": {"name": "switch", "policies": policies}})


def test_unmixed_last_epochs_have_plain_targets():
    config = trial.resolve(
        {**TRIAL, "model": {"name": "mlp", "hidden": [8]}, "mixing": {**MIXUP, "ratio": "uniform", "off_epochs": 1}}
    )
    split = trial.load_data(config, 0)
    training = trial.build(config, split, 0)
    plain: list[bool] = []
    loss = training.recipe.loss

    def recorded(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        plain.append(bool((targets.amax(dim=1) == 1).all()))
        return loss(logits, targets)

    object.__setattr__(training.recipe, "loss", recorded)
    validation = trial.validation_split(split)
    shares = []
    for _ in range(3):
        plain.clear()
        training.run_epoch(validation)
        shares.append(sum(plain) / len(plain))
    assert shares == [0, 0, 1]
