"""Where timm does the same thing, the same comes out: given its ratio and box exactly, and in distribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from timm.data import mixup as timm

from tuner.catalog import resolve
from tuner.mixing import METHODS, Mixture
from tuner.mixing.blend import blend, blend_masked
from tuner.mixing.masks import outside_mask

ALPHA = 0.7


@pytest.fixture
def images(rng) -> torch.Tensor:
    return torch.randn(8, 3, 16, 12, generator=rng)


def flipped(ratio: float, batch: int = 8) -> Mixture:
    own = torch.arange(batch)
    return Mixture(torch.stack([own, own.flip(0)], dim=1), torch.tensor([[ratio, 1 - ratio]]).expand(batch, 2))


def of_timm(
    images: torch.Tensor, labels: torch.Tensor, mode: str, **alphas: float
) -> tuple[torch.Tensor, torch.Tensor]:
    np.random.seed(3)  # timm draws from numpy's global generator
    mix = timm.Mixup(mode=mode, label_smoothing=0.0, num_classes=5, **alphas)
    return mix(images.clone(), labels)


def test_mixup_of_its_ratio_is_timms(images):
    labels = torch.arange(8) % 5
    theirs, targets = of_timm(images, labels, "batch", mixup_alpha=ALPHA, cutmix_alpha=0.0)
    np.random.seed(3)
    np.random.rand()
    mixture = flipped(float(np.random.beta(ALPHA, ALPHA)))
    torch.testing.assert_close(blend(images, mixture), theirs)
    torch.testing.assert_close(mixture.targets(labels, 5), targets.float())


def test_cutmix_of_its_box_is_timms(images):
    labels = torch.arange(8) % 5
    theirs, targets = of_timm(images, labels, "batch", mixup_alpha=0.0, cutmix_alpha=ALPHA)
    np.random.seed(3)
    np.random.rand()
    ratio = float(np.random.beta(ALPHA, ALPHA))
    (top, bottom, left, right), corrected = timm.cutmix_bbox_and_lam(images.shape, ratio)
    mask = outside_mask(torch.tensor([[top, bottom, left, right]]), 16, 12)
    torch.testing.assert_close(blend_masked(images, flipped(ratio), mask[:, None]), theirs)
    torch.testing.assert_close(flipped(float(mask.mean())).targets(labels, 5), targets.float())
    assert float(mask.mean()) == pytest.approx(corrected)


@pytest.mark.parametrize("method", ["mixup", "cutmix"])
def test_own_shares_have_the_law_of_timms_elements(method, rng):
    # On images large enough that it matters little that timm's boxes lose a pixel of odd sides.
    count, side = 2000, 128
    np.random.seed(0)
    alphas = {"mixup_alpha": 0.0, "cutmix_alpha": 0.0, f"{method}_alpha": ALPHA}
    mix = timm.Mixup(mode="elem", label_smoothing=0.0, num_classes=2, **alphas)
    _, theirs = mix(torch.zeros(count, 1, side, side), (torch.arange(count) >= count // 2).long())
    policy = METHODS.build(resolve(METHODS, {"name": method, "ratio": {"name": "beta", "alpha": ALPHA}}))
    _, mixture = policy.draw(count, rng).apply(torch.zeros(count, 1, side, side), rng)
    # timm's partners are the batch reversed, here always of the other class, so that targets show the own share.
    own = torch.cat([theirs[: count // 2, 0], theirs[count // 2 :, 1]])
    assert stats.ks_2samp(mixture.ratios[:, 0].numpy(), own.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("method", ["cutmix", "fmix", "gridmix", "smoothmix", "resizemix", "mixup"])
def test_ratio_drawn_for_the_batch_gives_one_mask_for_it(method, rng):
    policy = METHODS.build(
        resolve(METHODS, {"name": method, "ratio": {"name": "fixed", "shares": [0.6, 0.4], "per": "batch"}})
    )
    drawn = policy.draw(20, rng)
    white = torch.zeros(20, 1, 32, 32)
    white[0] = 1
    drawn.mixture.sources[:, 1] = 0  # everybody's partner is the white image
    mixed, mixture = drawn.apply(white, rng)
    assert len(mixed[1:].unique(dim=0)) == 1
    assert len(mixture.ratios.unique(dim=0)) == 1
    assert float(mixed[1].mean()) == pytest.approx(float(mixture.ratios[1, 1]), abs=1e-6)
