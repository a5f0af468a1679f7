"""Code for torchvision draws the policy's law, or is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torchvision.transforms import v2

from tests.policies.examples import BETA, PER_BATCH, batch, loaded
from tests.policies.laws import executed, least_p_value, of_batches, own_mix
from tuner.errors import ConfigError
from tuner.policies.to_torchvision import _LEAST_ALPHA, to_torchvision

BATCHES = 600
MIXUP = {"name": "mixup", "ratio": PER_BATCH}
CUTMIX = {"name": "cutmix", "ratio": {**PER_BATCH, "alpha": 1.0}, "official": True}
EXPRESSIBLE: dict[str, Any] = {
    "mixup": MIXUP,
    "mixup, alpha small": {"name": "mixup", "ratio": {**PER_BATCH, "alpha": 0.02}},
    "mixup, alpha large": {"name": "mixup", "ratio": {**PER_BATCH, "alpha": 8.0}},
    "mixup, uniform": {"name": "mixup", "ratio": {"name": "uniform", "per": "batch"}},
    "mixup, dirichlet of two": {"name": "mixup", "ratio": {"name": "dirichlet", "count": 2, "per": "batch"}},
    "mixup, sometimes": {**MIXUP, "probability": 0.3},
    "cutmix": CUTMIX,
    "cutmix, sometimes": {**CUTMIX, "probability": 0.5},
    "switch": {"name": "switch", "policies": [MIXUP, CUTMIX]},
    "switch of switches": {
        "name": "switch",
        "policies": [
            {**MIXUP, "probability": 0.5},
            {"name": "switch", "policies": [CUTMIX, "none", {**MIXUP, "ratio": {**PER_BATCH, "alpha": 4.0}}]},
        ],
        "weights": [1, 3],
        "probability": 0.9,
    },
    "none": "none",
    "alpha 0": {"name": "cutmix", "ratio": {"name": "beta", "alpha": 0.0}},
}


@pytest.fixture(autouse=True)
def _global_randomness():
    with torch.random.fork_rng(devices=[]):
        yield


@pytest.mark.parametrize("name", EXPRESSIBLE)
def test_the_code_draws_the_policys_law(name):
    policy = loaded(EXPRESSIBLE[name], classes=6)
    mix, _ = executed(to_torchvision(policy.file), "mix")
    assert least_p_value(of_batches(mix, BATCHES), of_batches(own_mix(policy), BATCHES)) > 1e-3


@pytest.mark.parametrize(
    ("mixing", "other"),
    [
        (MIXUP, {**MIXUP, "ratio": {**PER_BATCH, "alpha": 2.0}}),
        (MIXUP, {**MIXUP, "probability": 0.95}),
        (CUTMIX, {**CUTMIX, "official": False}),
        (CUTMIX, {**CUTMIX, "inside": True}),
        (EXPRESSIBLE["switch"], {**EXPRESSIBLE["switch"], "weights": [1, 2]}),
    ],
    ids=str,
)
def test_the_comparison_tells_laws_apart(mixing, other):
    mix, _ = executed(to_torchvision(loaded(mixing, classes=6).file), "mix")
    policy = loaded(other, classes=6)
    assert least_p_value(of_batches(mix, BATCHES), of_batches(own_mix(policy), BATCHES)) < 1e-3


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_smooths_as_the_trials(smoothing):
    policy = loaded(MIXUP, loss={"name": "cross_entropy", "label_smoothing": smoothing})
    mix, names = executed(to_torchvision(policy.file), "mix")
    logits = torch.randn(8, 5)
    _, targets = mix(*batch())
    even = targets.sum(dim=1, keepdim=True) / 5
    wanted = policy.loss(logits, (1 - smoothing) * targets + smoothing * even)
    torch.testing.assert_close(names["loss"](logits, targets), wanted)


def test_what_is_left_unmixed_has_targets_as_what_is_mixed():
    images, labels = batch()
    mix, _ = executed(to_torchvision(loaded({**MIXUP, "probability": 0.5}).file), "mix")
    found = {targets.shape for _, targets in (mix(images, labels) for _ in range(20))}
    assert found == {(8, 5)}


def test_the_last_epochs_are_told():
    source = to_torchvision(loaded({**MIXUP, "off_epochs": 2}, epochs=9).file)
    mix, names = executed(source, "unmixed")
    assert names["MIXED_EPOCHS"] == 7
    assert torch.equal(mix(*batch())[1], torch.eye(5)[batch()[1]])


def test_where_it_comes_from_stands_above_and_is_not_run():
    source = to_torchvision(loaded(MIXUP, origin="trial 3\nraise SystemExit\r\u2028import os").file)
    _, names = executed(source, "mix")
    assert "# trial 3\n# raise SystemExit\n# import os\n" in source
    assert "os" not in names


def test_a_loss_that_torch_lacks_is_named():
    source = to_torchvision(loaded(MIXUP, loss={"name": "bi_tempered", "t1": 0.7}).file)
    _, names = executed(source, "mix")
    assert "loss" not in names
    assert "{name: bi_tempered, t1: 0.7" in source


def test_torchs_beta_does_draw_halves_below_the_least_alpha():
    drawn = {alpha: v2.MixUp(alpha=alpha, num_classes=2)._dist.sample((10_000,)) for alpha in (1e-3, _LEAST_ALPHA)}
    assert float((drawn[1e-3] == 0.5).float().mean()) > 0.2
    assert not (drawn[_LEAST_ALPHA] == 0.5).any()


REFUSED = [
    ({**MIXUP, "ratio": BETA}, "mixing.ratio.per: v2.MixUp draws one ratio a batch, this policy one for each example"),
    ({**CUTMIX, "official": False}, "mixing.official: v2.CutMix loses a pixel of odd sides.* nearest: official: true"),
    ({**CUTMIX, "correct_ratio": False}, "mixing.correct_ratio: v2.CutMix's targets follow the box's area"),
    ({**CUTMIX, "inside": True}, "mixing.inside: torchvision does not keep its boxes within the image"),
    ({**MIXUP, "depths": [0, 1]}, r"mixing.depths: .* not at depths \[0, 1\]"),
    ({**MIXUP, "ratio": {**PER_BATCH, "scale": 0.5}}, "mixing.ratio.scale: torchvision's ratios sum to 1, not to 0.5"),
    ({**MIXUP, "ratio": {"name": "zeta", "per": "batch"}}, "mixing.ratio.name: .* not zeta of 4 sources"),
    ({**MIXUP, "ratio": {"name": "truncated_normal", "per": "batch"}}, "mixing.ratio.name: .* not truncated_normal"),
    ({**MIXUP, "ratio": {**PER_BATCH, "alpha": 1e-3}}, "mixing.ratio.alpha: torch's Beta draws halves"),
    ("fmix", "mixing.name: torchvision mixes by mixup and cutmix alone, not by fmix"),
    ({"name": "switch", "policies": [MIXUP, "cutout"]}, r"mixing.policies\[1\].name: .* not by cutout"),
    ({"name": "switch", "policies": [MIXUP, {**CUTMIX, "off_epochs": 2}]}, r"mixing: .*\(off_epochs 0 and 2\)"),
    ({**MIXUP, "off_epochs": 2}, "epochs: off_epochs 2 counts from the end of the training"),
]


@pytest.mark.parametrize(("mixing", "words"), REFUSED, ids=[words[:40] for _, words in REFUSED])
def test_what_it_cannot_express_is_refused_with_the_setting_at_fault(mixing, words):
    with pytest.raises(ConfigError, match=words) as caught:
        to_torchvision(loaded(mixing).file)
    assert len(caught.value.problems) == 1


def test_all_reasons_are_given_at_once():
    with pytest.raises(ConfigError) as caught:
        to_torchvision(loaded({"name": "switch", "policies": ["mixup", "cutmix", "fmix"]}, classes=None).file)
    assert [problem.path[-1] for problem in caught.value.problems] == ["name", "per", "per", "official", "classes"]
