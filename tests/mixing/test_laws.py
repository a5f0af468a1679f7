"""What really comes out of a method has the law that its paper's section says, by Kolmogorov and Smirnov."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from tests.mixing.cases import guided
from tuner.catalog import resolve
from tuner.mixing import METHODS

SIDE, COUNT, ALPHA = 32, 3000, 0.7
BETA = {"name": "beta", "alpha": ALPHA}

Law = Callable[[np.random.Generator], np.ndarray]


def clipped(side: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return how much of boxes of these sides, centred at a uniform pixel, lies in the image, along one axis."""
    start = rng.integers(SIDE, size=COUNT) - side // 2
    return np.minimum(start + side, SIDE) - np.maximum(start, 0)


def box_area(multiple: int) -> Law:
    """Section 1.4: sides of sqrt(1 - ratio), the centre uniform over the pixels, clipped."""

    def own(rng: np.random.Generator) -> np.ndarray:
        side = (np.sqrt(1 - rng.beta(ALPHA, ALPHA, COUNT)) * SIDE / multiple).astype(int) * multiple
        return 1 - clipped(side, rng) * clipped(side, rng) / SIDE**2

    return own


def resized_area(rng: np.random.Generator) -> np.ndarray:
    """Section 6: the pasted image's side is uniform from 0.1 to 0.8 of the other's, whole pixels."""
    return 1 - (rng.uniform(0.1, 0.8, COUNT) * SIDE).astype(int) ** 2 / SIDE**2


def blanked_area(rng: np.random.Generator) -> np.ndarray:
    """Section 1.3: a square of 16 pixels, its centre uniform, clipped."""
    side = np.full(COUNT, 16)
    return 1 - clipped(side, rng) * clipped(side, rng) / SIDE**2


def drawn_ratio(rng: np.random.Generator) -> np.ndarray:
    """Sections 1.1 and 1.8: the ratio itself."""
    return rng.beta(ALPHA, ALPHA, COUNT)


LAWS: dict[str, tuple[dict[str, Any], Law]] = {
    "mixup": ({"name": "mixup", "ratio": BETA}, drawn_ratio),
    "cutmix": ({"name": "cutmix", "ratio": BETA}, box_area(1)),
    "cutmix, official": ({"name": "cutmix", "ratio": BETA, "official": True}, box_area(2)),
    "fmix": ({"name": "fmix", "ratio": BETA}, drawn_ratio),
    "fmix, official": ({"name": "fmix", "ratio": BETA, "official": True}, drawn_ratio),
    "resizemix": ({"name": "resizemix"}, resized_area),
    "cutout": ({"name": "cutout"}, blanked_area),
    # Its peaks are uniform over images of noise, so that CutMix's law is left.
    "saliencymix": ({"name": "saliencymix", "ratio": BETA}, box_area(1)),
}


@pytest.mark.parametrize("name", LAWS)
def test_own_share_of_the_pixels_has_the_law(name, rng):
    config, law = LAWS[name]
    policy = METHODS.build(resolve(METHODS, config))
    # Each example is 1 and its partner 0, so that the mean of the mixed image is the example's own share.
    white = torch.cat([torch.ones(COUNT, 1, SIDE, SIDE), torch.zeros(1, 1, SIDE, SIDE)])
    drawn = policy.draw(len(white), rng)
    if drawn.mixture.sources.shape[1] > 1:
        drawn.mixture.sources[:, 1] = COUNT
    guide = guided(policy, white)
    if guide is not None:
        guide.saliency.copy_(torch.rand(guide.saliency.shape, generator=rng))
        drawn.mixture.sources[:, 1] = torch.arange(len(white)).roll(1)
        mixed, mixture = drawn.apply(white, rng, guide)
        own = mixture.ratios[:COUNT, 0].numpy()
    else:
        mixed, _ = drawn.apply(white, rng, guide)
        own = mixed[:COUNT].mean(dim=(1, 2, 3)).numpy()
    assert stats.ks_2samp(own, law(np.random.default_rng(0))).pvalue > 1e-3
