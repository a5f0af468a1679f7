"""What is special to cutout, GridMix, ResizeMix, SmoothMix and SamplePairing."""

from __future__ import annotations

import pytest
import torch

from tuner.mixing.base import Mixture
from tuner.mixing.cutout import cutout
from tuner.mixing.gridmix import gridmix
from tuner.mixing.ratios import uniform_scale, zeta
from tuner.mixing.resizemix import resizemix
from tuner.mixing.sample_pairing import sample_pairing
from tuner.mixing.smoothmix import smoothmix


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def pairs(batch: int, own: float) -> Mixture:
    sources = torch.stack([torch.arange(batch), torch.arange(batch).roll(1)], dim=1)
    return Mixture(sources, torch.tensor([[own, 1 - own]]).expand(batch, -1))


@pytest.mark.parametrize("length", [15, 16, 100])
def test_cutout_that_blanks_everything_is_refused(rng, length):
    with pytest.raises(ValueError, match=f"cutout of length {length} blanks every 8x5 image; set it to 14 or less"):
        cutout(torch.ones(2, 1, 8, 5), pairs(2, 1.0), rng, length=length)
    mixed, _ = cutout(torch.ones(400, 1, 8, 5), pairs(400, 1.0), rng, length=14)
    assert mixed.sum() > 0


@pytest.mark.parametrize(("length", "official", "side"), [(8, False, 8), (7, False, 7), (7, True, 6)])
def test_cutout_blanks_one_square_an_example(rng, length, official, side):
    ones = torch.ones(400, 3, 32, 32)
    mixed, mixture = cutout(ones, pairs(400, 1.0), rng, length=length, official=official)
    blanked = (mixed == 0).all(dim=1)
    assert torch.equal(blanked, (mixed == 0).any(dim=1))
    assert blanked.sum(dim=(1, 2)).max() == side**2
    assert blanked.sum(dim=(1, 2)).min() < side**2  # clipped at the border
    assert torch.equal(mixture.ratios, pairs(400, 1.0).ratios)


@pytest.mark.parametrize(("own", "cells"), [(0.0, 0), (0.26, 4), (0.5, 8), (1.0, 16)])
def test_gridmix_takes_whole_cells(rng, own, cells):
    colours = torch.eye(5)[:, :, None, None].expand(-1, -1, 8, 8).contiguous()
    mixed, mixture = gridmix(colours, pairs(5, own), rng, cells=4)
    for i in range(5):
        tiles = mixed[i, i].unfold(0, 2, 2).unfold(1, 2, 2).reshape(16, 4)
        assert ((tiles == tiles[:, :1]).all(dim=1)).all()
        assert tiles[:, 0].sum() == cells
    torch.testing.assert_close(mixture.ratios[:, 0], torch.full((5,), cells / 16))


def test_resizemix_pastes_the_whole_other_image(rng):
    other = torch.rand(1, 1, 16, 16, generator=rng)
    features = torch.cat([torch.full((1, 1, 16, 16), -1.0), other])
    mixed, mixture = resizemix(features, pairs(2, 0.75), rng)
    box = mixed[0, 0] >= 0
    assert box.sum() == 64
    rows, columns = box.any(dim=1).nonzero()[:, 0], box.any(dim=0).nonzero()[:, 0]
    pasted = mixed[0, 0, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    expected = torch.nn.functional.interpolate(other, size=(8, 8), mode="bilinear", align_corners=False)[0, 0]
    torch.testing.assert_close(pasted, expected)
    torch.testing.assert_close(mixture.ratios[0], torch.tensor([0.75, 0.25]))


def test_resizemix_at_full_size_is_the_other_image(rng):
    features = torch.rand(3, 2, 9, 5, generator=rng)
    mixed, _ = resizemix(features, pairs(3, 0.0), rng)
    torch.testing.assert_close(mixed, features.roll(1, 0))


def test_smoothmix_shows_the_wanted_share_without_a_hard_edge(rng):
    colours = torch.eye(300)[:, :2, None, None].expand(-1, -1, 64, 64).contiguous()
    mixed, mixture = smoothmix(colours, pairs(300, 0.9), rng)
    own = mixed[0, 0]
    assert own.diff(dim=0).abs().max() < 0.1
    assert 0.9 <= mixture.ratios[:, 0].mean() < 0.96  # what the border cuts off goes back to the example
    assert mixture.ratios[:, 0].min() == pytest.approx(0.9, abs=2e-3)


def test_sample_pairing_averages_images_and_keeps_the_label():
    features = torch.tensor([[[[0.0]]], [[[2.0]]]])
    mixed, mixture = sample_pairing(features, pairs(2, 0.5), torch.Generator())
    assert mixed.flatten().tolist() == [1.0, 1.0]
    assert mixture.targets(torch.tensor([0, 1]), 2).tolist() == [[1, 0], [0, 1]]


def test_zeta_keeps_more_for_the_example_than_for_all_others(rng):
    weights = zeta(count=64, gamma=1.7287).draw(3, rng)
    assert (weights[:, 0] > 0.5).all()
    torch.testing.assert_close(zeta(count=3, gamma=1.0).draw(1, rng)[0], torch.tensor([6 / 11, 3 / 11, 2 / 11]))


def test_uniform_scale_draws_the_side_uniformly(rng):
    side = (1 - uniform_scale(smallest=0.2, largest=0.6).draw(20_000, rng)[:, 0]).sqrt()
    assert side.min() >= 0.2 - 1e-6
    assert side.max() <= 0.6 + 1e-6
    assert side.mean() == pytest.approx(0.4, abs=0.01)
    with pytest.raises(ValueError, match="smallest must not be above largest"):
        uniform_scale(smallest=0.9, largest=0.1)
