"""FMix: masks of arbitrary shape with an exact share."""

from __future__ import annotations

import pytest
import torch

from tuner.mixing.base import Mixture
from tuner.mixing.fmix import fmix
from tuner.mixing.masks import top_share


def masks(own: float, size: int = 32, batch: int = 256, official: bool = False) -> torch.Tensor:
    features = torch.zeros(batch, 1, size, size)
    features[0] = 1
    sources = torch.stack([torch.zeros(batch, dtype=torch.int64), torch.ones(batch, dtype=torch.int64)], dim=1)
    ratios = torch.tensor([[own, 1 - own]]).expand(batch, -1)
    ones = torch.ones(batch, 1, size, size)
    mixed, _ = fmix(ones, Mixture(sources, ratios), torch.Generator().manual_seed(0), official=official)
    assert torch.equal(mixed, ones)
    features = torch.cat([torch.ones(1, 1, size, size), torch.zeros(1, 1, size, size)]).repeat(batch, 1, 1, 1)
    own_first = torch.stack([torch.arange(2 * batch), torch.ones(2 * batch, dtype=torch.int64)], dim=1)
    ratios = torch.tensor([[own, 1 - own]]).expand(2 * batch, -1)
    mixed, _ = fmix(features, Mixture(own_first, ratios), torch.Generator().manual_seed(0), official=official)
    return mixed[::2, 0]


def boundary(mask: torch.Tensor) -> tuple[float, float]:
    return (mask.diff(dim=1).abs().mean().item(), mask.diff(dim=2).abs().mean().item())


@pytest.mark.parametrize("own", [0.0, 0.1, 0.37, 0.5, 0.9, 1.0])
def test_the_mask_has_the_drawn_share_of_pixels(own):
    shares = masks(own).mean(dim=(1, 2))
    assert (shares - own).abs().max() <= 2 / 32**2
    assert set(masks(own).unique().tolist()) <= {0.0, 1.0}


def test_masks_have_no_preferred_direction_but_the_official_ones_do():
    down, across = boundary(masks(0.5))
    assert down / across == pytest.approx(1, abs=0.1)
    down, across = boundary(masks(0.5, official=True))
    assert abs(down / across - 1) > 0.15


def test_masks_are_of_a_few_pieces_rather_than_noise():
    down, across = boundary(masks(0.5))
    assert max(down, across) < 0.15  # independent pixels would have one half


def test_odd_and_oblong_images_have_masks():
    features = torch.randn(3, 2, 7, 12, generator=torch.Generator().manual_seed(0))
    mixture = Mixture(torch.tensor([[0, 1], [1, 2], [2, 0]]), torch.full((3, 2), 0.5))
    for official in (False, True):
        mixed, applied = fmix(features, mixture, torch.Generator().manual_seed(0), official=official)
        assert mixed.shape == features.shape
        torch.testing.assert_close(applied.ratios[:, 0], torch.full((3,), 0.5), rtol=0, atol=1 / 84 + 1e-6)


def test_top_share_takes_the_largest_scores():
    scores = torch.tensor([[[1.0, 4.0], [2.0, 3.0]], [[1.0, 4.0], [2.0, 3.0]]])
    chosen = top_share(scores, torch.tensor([0.5, 0.25]))
    assert chosen.tolist() == [[[0, 1], [0, 1]], [[0, 1], [0, 0]]]
