"""timm's Mixup with the arguments that are written draws the policy's law, or they are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.policies.examples import BETA, PER_BATCH, batch, loaded
from tests.policies.laws import coloured, executed, least_p_value, of_batches, of_examples, own_mix
from tuner.errors import ConfigError
from tuner.policies.to_timm import to_timm

BATCHES = 600
MIXUP = {"name": "mixup", "ratio": PER_BATCH}
CUTMIX = {"name": "cutmix", "ratio": {**PER_BATCH, "alpha": 1.0}}
SWITCH = {"name": "switch", "policies": [{**MIXUP, "probability": 0.8}, CUTMIX], "weights": [1, 2], "probability": 0.9}
OF_BATCHES: dict[str, Any] = {
    "mixup": MIXUP,
    "mixup, alpha small": {"name": "mixup", "ratio": {**PER_BATCH, "alpha": 1e-3}},
    "mixup, uniform, sometimes": {"name": "mixup", "ratio": {"name": "uniform", "per": "batch"}, "probability": 0.3},
    "cutmix": CUTMIX,
    "cutmix, sometimes": {**CUTMIX, "probability": 0.5},
    "switch": SWITCH,
    "switch with one twice": {"name": "switch", "policies": [MIXUP, CUTMIX, {**MIXUP, "probability": 0.5}]},
    "none": "none",
}
OF_EXAMPLES: dict[str, Any] = {
    "mixup": {"name": "mixup", "ratio": BETA},
    "cutmix": {"name": "cutmix", "ratio": BETA},
    "cutmix, alpha small": {"name": "cutmix", "ratio": {"name": "beta", "alpha": 0.1}},
}


@pytest.fixture(autouse=True)
def _global_randomness():
    kept = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        yield
    np.random.set_state(kept)


@pytest.mark.parametrize("name", OF_BATCHES)
def test_mode_batch_draws_the_policys_law(name):
    policy = loaded(OF_BATCHES[name], classes=6)
    mixup, names = executed(to_timm(policy.file), "mixup")
    assert names["mixup"].mode == "batch"
    assert least_p_value(of_batches(mixup, BATCHES), of_batches(own_mix(policy), BATCHES)) > 1e-3


@pytest.mark.parametrize("name", OF_EXAMPLES)
def test_mode_elem_draws_the_policys_law(name):
    policy = loaded(OF_EXAMPLES[name], classes=64)
    mixup, names = executed(to_timm(policy.file), "mixup")
    assert names["mixup"].mode == "elem"
    assert least_p_value(of_examples(mixup, 20), of_examples(own_mix(policy), 20)) > 1e-3


def test_a_ratio_that_is_not_corrected_stays_the_drawn_one():
    mixing = {"name": "cutmix", "ratio": {"name": "beta", "alpha": 1e6, "per": "batch"}, "correct_ratio": False}
    policy = loaded(mixing, classes=8)
    mixup, _ = executed(to_timm(policy.file), "mixup")
    images, labels = coloured(8)
    for one in (mixup, own_mix(policy)):
        # The box is clipped often, the share one half always.
        shares = torch.stack([one(images.clone(), labels)[1].amax(dim=1).min() for _ in range(50)])
        torch.testing.assert_close(shares, torch.full((50,), 0.5), atol=0.01, rtol=0)


@pytest.mark.parametrize("mixing", ["none", MIXUP, OF_EXAMPLES["mixup"]], ids=str)
def test_labels_are_smoothed_as_the_trials(mixing):
    policy = loaded(mixing, loss={"name": "cross_entropy", "label_smoothing": 0.2})
    mixup, names = executed(to_timm(policy.file), "mixup")
    images, labels = torch.zeros(6, 3, 2, 2), torch.zeros(6, dtype=torch.int64)
    expected = policy(images, labels)[1]
    assert expected[0].tolist() == pytest.approx([0.84, 0.04, 0.04, 0.04, 0.04])
    torch.testing.assert_close(mixup(images.clone(), labels)[1], expected)
    logits = torch.randn(6, 5)
    torch.testing.assert_close(names["loss"](logits, expected), policy.loss(logits, expected))


def test_the_last_epochs_are_told_and_turned_off_as_timm_does():
    mixup, names = executed(to_timm(loaded({**MIXUP, "off_epochs": 2}, epochs=9).file), "mixup")
    mixed = []
    for epoch in range(9):
        names["mixup"].mixup_enabled = epoch < names["MIXED_EPOCHS"]
        images, labels = batch()
        mixed.append(not torch.equal(mixup(images.clone(), labels)[0], images))
    assert mixed == [True] * 7 + [False] * 2


def test_boxes_are_refused_by_a_timm_that_loses_their_odd_pixels(monkeypatch):
    monkeypatch.setattr("timm.__version__", "1.0.28")
    with pytest.raises(ImportError, match=r"need timm 1\.0\.29 or newer, found 1\.0\.28"):
        executed(to_timm(loaded(CUTMIX).file), "mixup")
    executed(to_timm(loaded(MIXUP).file), "mixup")


SOMETIMES = {"name": "mixup", "ratio": BETA, "probability": 0.25}
REFUSED = [
    (SOMETIMES, "mixing.probability: timm's mode elem.* for each example whether.* nearest: prob=0.25"),
    (
        {"name": "switch", "policies": [OF_EXAMPLES["mixup"], OF_EXAMPLES["cutmix"]]},
        "mixing.policies: timm's mode elem.* draws the method for each example",
    ),
    (
        {"name": "switch", "policies": [OF_EXAMPLES["mixup"], "none"]},
        "mixing.probability: timm's mode elem.* nearest: prob=0.5",
    ),
    ({"name": "switch", "policies": [MIXUP, OF_EXAMPLES["cutmix"]]}, "mixing: timm draws all ratios per batch or all"),
    (
        {"name": "switch", "policies": [MIXUP, {**MIXUP, "ratio": {**PER_BATCH, "alpha": 2.0}}]},
        "mixing.policies: timm has one mixup, and this policy 2 that differ",
    ),
    ({**CUTMIX, "official": True}, "mixing.official: timm keeps the pixel of odd sides of its boxes since 1.0.29"),
    ({**CUTMIX, "inside": True}, "mixing.inside: timm does not keep its boxes within the image"),
    ({**MIXUP, "depths": [1]}, r"mixing.depths: timm mixes images alone \(depths \[0\]\), not at depths \[1\]"),
    ("resizemix", "mixing.name: timm mixes by mixup and cutmix alone, not by resizemix"),
    ({"name": "mixup", "ratio": {"name": "dirichlet"}}, "mixing.ratio.name: .* not dirichlet of 3 sources"),
]


@pytest.mark.parametrize(("mixing", "words"), REFUSED, ids=[words[:40] for _, words in REFUSED])
def test_what_it_cannot_express_is_refused_with_the_setting_at_fault(mixing, words):
    with pytest.raises(ConfigError, match=words) as caught:
        to_timm(loaded(mixing).file)
    assert len(caught.value.problems) == 1
