"""PatchUp: how much is changed, where, and what the targets say of it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.benchmarks.official import patchup_centres, patchup_pooling_the_whole_batch
from tests.mixing.cases import pairs
from tuner import trial
from tuner.catalog import resolve
from tuner.errors import ConfigError
from tuner.mixing import METHODS
from tuner.mixing.patchup import chance_by_formula, chance_by_share, grown, patchup
from tuner.models import ImageShape

RATIOS = (0.2, 0.9, 0.5, 0.0, 1.0)


def maps(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=rng)


def changed_by(features: Tensor, rng: torch.Generator, **options: object) -> Tensor:
    mixed, _ = patchup(features, pairs(*RATIOS[: len(features)]), rng, **options)
    return mixed != features


@pytest.mark.parametrize("mode", ["hard", "soft"])
def test_official_law_equals_pooling_the_whole_batch(rng, mode):
    features = maps(rng, 5, 6, 16, 16)
    mixture = pairs(*[0.3] * 5)
    mixed, really = patchup(features, mixture, torch.Generator().manual_seed(3), mode=mode, gamma=0.4, official=True)
    centres = patchup_centres(features.shape[1:], 0.4, 7, torch.Generator().manual_seed(3))
    ratio = 0.3 if mode == "soft" else None
    expected, share = patchup_pooling_the_whole_batch(features, mixture.sources[:, 1], centres, 7, ratio)
    torch.testing.assert_close(mixed, expected)
    other = share * (0.7 if mode == "soft" else 1.0)
    torch.testing.assert_close(really.ratios[:, 1], other.expand(5))
    assert 0.2 < share < 0.8


@pytest.mark.parametrize("mode", ["hard", "soft"])
def test_the_papers_two_losses_sum_to_that_of_the_mixed_target(rng, mode):
    # Kept share x own label + changed share x what the blocks show: their first two terms are their third again.
    features = maps(rng, 5, 4, 12, 12)
    mixed, really = patchup(features, pairs(*RATIOS), rng, mode=mode)
    changed = (mixed[0] != features[0]).float().mean()
    labels = torch.tensor([0, 1, 2, 1, 0])
    own = torch.eye(3)[labels]
    blocks = own.roll(1, 0)
    if mode == "soft":
        ratio = torch.tensor(RATIOS)[:, None]
        blocks = ratio * own + (1 - ratio) * blocks
    torch.testing.assert_close(really.targets(labels, 3), (1 - changed) * own + changed * blocks)


def test_hard_swaps_and_soft_mixes_by_each_examples_ratio(rng):
    features = maps(rng, 5, 3, 12, 12)
    partner = features.roll(1, 0)
    mixed, _ = patchup(features, pairs(*RATIOS), torch.Generator().manual_seed(1))
    holes = mixed != features
    assert torch.equal(mixed, torch.where(holes, partner, features))
    soft, _ = patchup(features, pairs(*RATIOS), torch.Generator().manual_seed(1), mode="soft", gamma=0.5)
    ratio = torch.tensor(RATIOS)[:, None, None, None]
    torch.testing.assert_close(soft, torch.where(holes, ratio * features + (1 - ratio) * partner, features))


@pytest.mark.parametrize("mode", ["hard", "soft"])
def test_mask_is_one_for_all_examples_and_another_for_each_channel(rng, mode):
    features = maps(rng, 3, 5, 14, 14)
    changed = changed_by(features, rng, mode=mode)
    assert torch.equal(changed, changed[:1].expand_as(changed))
    assert len(changed[0].flatten(1).unique(dim=0)) == 5


def test_changed_features_are_blocks(rng):
    changed = changed_by(maps(rng, 2, 200, 15, 15), rng, gamma=0.02, block_size=5)[0]
    sizes = changed.sum(dim=(1, 2))
    lone = changed[sizes == 25]
    assert len(lone) > 5
    assert (lone.any(dim=1).sum(dim=1) == 5).all()
    assert (lone.any(dim=2).sum(dim=1) == 5).all()


@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.75, 0.95])
@pytest.mark.parametrize(("side", "block_size"), [((32, 32), 7), ((8, 8), 7), ((4, 4), 7), ((9, 20), 5), ((1, 6), 3)])
def test_gamma_is_the_mean_share_of_features_changed(rng, gamma, side, block_size):
    channels = 200_000 // (side[0] * side[1])
    changed = changed_by(maps(rng, 2, channels, *side), rng, gamma=gamma, block_size=block_size)[0]
    assert float(changed.float().mean()) == pytest.approx(gamma, abs=0.03)


@pytest.mark.parametrize(("gamma", "side", "share"), [(0.5, 32, 0.488), (0.75, 32, 0.642), (0.5, 16, 0.635)])
def test_official_changes_another_share_than_gamma(rng, gamma, side, share):
    changed = changed_by(maps(rng, 2, 400_000 // side**2, side, side), rng, gamma=gamma, official=True)[0]
    assert float(changed.float().mean()) == pytest.approx(share, abs=0.02)


def test_chance_without_borders_is_the_closed_form():
    assert chance_by_share(0.5, (4096, 4096), (7, 7)) == pytest.approx(1 - 0.5 ** (1 / 49), rel=2e-3)
    assert chance_by_share(0.3, (8, 5), (1, 1)) == pytest.approx(0.3)
    assert chance_by_formula(0.5, (32, 32), (7, 7)) == pytest.approx(0.5 * 32**2 / (7**2 * 26**2))
    assert chance_by_formula(1.0, (4, 4), (3, 3)) <= 1


@pytest.mark.parametrize("official", [False, True])
def test_gamma_0_changes_nothing(rng, official):
    features = maps(rng, 3, 64, 32, 32)
    mixed, mixture = patchup(features, pairs(0.5, 0.5, 0.5), rng, gamma=0.0, official=official)
    assert torch.equal(mixed, features)
    assert mixture.ratios.tolist() == [[1, 0]] * 3


def test_gamma_1_swaps_everything(rng):
    features = maps(rng, 3, 8, 32, 32)
    mixed, mixture = patchup(features, pairs(0.5, 0.5, 0.5), rng, gamma=1.0)
    assert torch.equal(mixed, features.roll(1, 0))
    assert mixture.ratios.tolist() == [[0, 1]] * 3


@pytest.mark.parametrize(("mode", "share"), [("hard", 0.5), ("soft", 0.75)])
def test_gamma_is_the_papers_for_the_mode_unless_given(rng, mode, share):
    changed = changed_by(maps(rng, 2, 200, 32, 32), rng, mode=mode)[0]
    assert float(changed.float().mean()) == pytest.approx(share, abs=0.03)


def test_one_ratio_for_the_batch_mixes_as_its_rows_do(rng):
    features = maps(rng, 3, 4, 10, 10)
    apart, together = (
        patchup(features, pairs(0.3, 0.3, 0.3, is_shared=shared), torch.Generator().manual_seed(0), mode="soft")
        for shared in (False, True)
    )
    torch.testing.assert_close(together[0], apart[0])
    torch.testing.assert_close(together[1].ratios, apart[1].ratios)


def test_a_block_reaches_half_its_size_each_way():
    centres = torch.zeros(1, 1, 5, 7, dtype=torch.bool)
    centres[0, 0, 0, 3] = True
    expected = torch.zeros(5, 7)
    expected[0:2, 1:6] = 1
    assert torch.equal(grown(centres, (3, 5))[0, 0], expected)


def test_even_blocks_and_flat_features_are_refused(rng):
    with pytest.raises(ValueError, match="block_size must be odd, got 6; set it to 7"):
        patchup(maps(rng, 2, 3, 8, 8), pairs(0.5, 0.5), rng, block_size=6)
    with pytest.raises(ValueError, match=r"needs maps of channels, height and width, got features of shape \(2, 3\)"):
        patchup(maps(rng, 2, 3), pairs(0.5, 0.5), rng)


def check_model(name: str) -> None:
    config = trial.resolve({"dataset": "digits", "model": name, "mixing": "patchup"})
    trial.check_model(config, ImageShape(1, 28, 28), 10)


def test_a_model_whose_depths_have_no_maps_is_refused_before_training():
    check_model("small_cnn")
    with pytest.raises(ConfigError, match="patchup needs maps of channels, height and width"):
        check_model("mlp")


def test_it_mixes_at_depths_1_and_2_unless_told():
    assert METHODS.build(resolve(METHODS, "patchup")).depths == (1, 2)


@pytest.mark.parametrize(
    "options", [{}, {"gamma": 0.2}, {"gamma": 0.9}, {"mode": "soft"}, {"mode": "soft", "gamma": 0.3}]
)
def test_strength_is_that_of_the_targets(options, rng):
    policy = METHODS.build(resolve(METHODS, {"name": "patchup", "block_size": 3, **options}))
    least = []
    for _ in range(40):
        _, mixture = policy.draw(16, rng).apply(torch.zeros(16, 32, 12, 12), rng)
        least.append(mixture.ratios.amin(dim=1))
    assert policy.expected_strength() == pytest.approx(float(torch.cat(least).mean()), abs=0.06)
