"""The ratio distributions draw from the laws that they are named after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from tuner.catalog import resolve
from tuner.mixing import RATIOS, RatioDistribution

DRAWS = 20_000
IMPLAUSIBLE = 1e-3
"""Draws are seeded, so a p-value is one fixed number, and a test below this says that the law is wrong."""


def built(name: str, **parameters: Any) -> RatioDistribution:
    return RATIOS.build(resolve(RATIOS, {"name": name, **parameters}))


def rows(distribution: RatioDistribution, count: int = DRAWS, seed: int = 0) -> np.ndarray:
    return distribution.sample(count, torch.Generator().manual_seed(seed)).numpy()


def assert_drawn_from(law: Any, values: np.ndarray) -> None:
    assert stats.kstest(values, law.cdf).pvalue > IMPLAUSIBLE


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 2.0, 8.0, 1e3])
def test_beta_is_scipys_beta(alpha):
    assert_drawn_from(stats.beta(alpha, alpha), rows(built("beta", alpha=alpha))[:, 0])


@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_beta_of_small_alpha_is_scipys_beta_folded_at_one_half(alpha):
    # Ratios within 1e-16 of 1 are 1, so only the smaller of the two shows the law; which one it is, is a fair coin.
    own, other = rows(built("beta", alpha=alpha)).T
    assert stats.kstest(np.minimum(own, other), lambda x: 2 * stats.beta(alpha, alpha).cdf(x)).pvalue > IMPLAUSIBLE
    assert stats.binomtest(int((own > other).sum()), DRAWS).pvalue > IMPLAUSIBLE


@pytest.mark.parametrize("count", range(2, 11))
@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_dirichlets_every_share_is_scipys_beta(count, alpha):
    shares = rows(built("dirichlet", count=count, alpha=alpha), 4000)
    for position in range(count):
        assert_drawn_from(stats.beta(alpha, alpha * (count - 1)), shares[:, position])


def test_dirichlet_of_one_source_is_that_source():
    assert (rows(built("dirichlet", count=1, alpha=0.3), 5) == 1).all()


def test_uniform_is_uniform():
    assert_drawn_from(stats.uniform, rows(built("uniform"))[:, 0])


@pytest.mark.parametrize(("mean", "sigma"), [(0.5, 0.1), (0.5, 0.25), (0.5, 2.0), (0.9, 0.3), (0.0, 0.2), (0.5, 1e5)])
def test_truncated_normal_is_scipys_with_nothing_at_the_ends(mean, sigma):
    own = rows(built("truncated_normal", mean=mean, sigma=sigma))[:, 0]
    assert_drawn_from(stats.truncnorm(-mean / sigma, (1 - mean) / sigma, mean, sigma), own)
    assert ((own > 0) & (own < 1)).all()


@pytest.mark.parametrize(
    ("mean", "sigma", "at_the_ends"), [(0.5, 0.25, 0.0455), (0.5, 0.5, 0.3173), (0.8, 0.5, 0.3994)]
)
def test_clipped_normal_has_masses_at_0_and_1_and_is_normal_between(mean, sigma, at_the_ends):
    own = rows(built("clipped_normal", mean=mean, sigma=sigma))[:, 0]
    law = stats.norm(mean, sigma)
    for count, mass in (((own == 0).sum(), law.cdf(0)), ((own == 1).sum(), law.sf(1))):
        assert stats.binomtest(int(count), DRAWS, mass).pvalue > IMPLAUSIBLE
    assert law.cdf(0) + law.sf(1) == pytest.approx(at_the_ends, abs=1e-4)
    between = own[(own > 0) & (own < 1)]
    assert_drawn_from(stats.truncnorm(-mean / sigma, (1 - mean) / sigma, mean, sigma), between)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_alpha_0_leaves_every_example_its_own(count):
    shares = rows(built("dirichlet", count=count, alpha=0), 100)
    assert (shares[:, 0] == 1).all()
    assert (shares[:, 1:] == 0).all()


@pytest.mark.parametrize("count", [2, 3, 10])
@pytest.mark.parametrize("alpha", [1e-12, 1e-6])
def test_tiny_alpha_gives_one_source_all_and_each_its_turn(count, alpha):
    shares = rows(built("dirichlet", count=count, alpha=alpha))
    assert (shares.max(axis=1) > 1 - 1e-3).mean() > 0.999
    assert stats.chisquare(np.bincount(shares.argmax(axis=1), minlength=count)).pvalue > IMPLAUSIBLE


@pytest.mark.parametrize("count", [2, 3, 10])
def test_huge_alpha_gives_equal_shares(count):
    shares = rows(built("dirichlet", count=count, alpha=1e6))
    assert abs(shares - 1 / count).max() < 0.01


@pytest.mark.parametrize("alpha", [0, 1e-12, 1e-6, 1e-3, 0.05, 1, 8, 1e3, 1e6])
@pytest.mark.parametrize("count", range(1, 11))
def test_rows_are_shares_that_sum_to_1_at_every_alpha(alpha, count):
    shares = built("dirichlet", count=count, alpha=alpha).draw(2000, torch.Generator().manual_seed(0))
    assert torch.isfinite(shares).all()
    assert ((shares >= 0) & (shares <= 1)).all()
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2000), rtol=0, atol=1e-6)


PARAMETERS = {name: {"shares": [0.2, 0.3, 0.5]} if name == "fixed" else {} for name in RATIOS}


@pytest.mark.parametrize("name", RATIOS)
def test_scale_is_the_sum_of_every_row(name, rng):
    shares = built(name, scale=0.7, **PARAMETERS[name]).draw(50, rng)
    torch.testing.assert_close(shares.sum(dim=1), torch.full((50,), 0.7), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", RATIOS)
def test_per_batch_gives_all_rows_the_same_ratios_and_each_batch_its_own(name, rng):
    distribution = built(name, per="batch", **PARAMETERS[name])
    first, second = distribution.draw(6, rng), distribution.draw(6, rng)
    assert first.shape == (6, distribution.count)
    assert (first == first[0]).all()
    assert name in {"fixed", "zeta"} or not torch.equal(first, second)


@pytest.mark.parametrize("name", sorted(set(RATIOS) - {"fixed", "zeta"}))
def test_per_example_gives_each_row_its_own_ratios(name, rng):
    assert len(built(name).draw(50, rng)[:, 0].unique()) > 25


@pytest.mark.parametrize("name", RATIOS)
def test_generator_alone_decides(name):
    distribution = built(name, **PARAMETERS[name])
    assert np.array_equal(rows(distribution, 9, seed=3), rows(distribution, 9, seed=3))


def test_fixed_shares_are_given_to_every_row(rng):
    shares = built("fixed", shares=[0.2, 0.3, 0.5]).draw(4, rng)
    assert torch.equal(shares, torch.tensor([[0.2, 0.3, 0.5]]).expand(4, 3))


@pytest.mark.parametrize(("shares", "read"), [([0.5, 0.2], "0.7"), ([1, 1], "2"), ([0.0], "0")])
def test_fixed_shares_that_do_not_sum_to_1_are_refused(shares, read):
    with pytest.raises(ValueError, match=f"shares must sum to 1, got {read}; for smaller sums set scale"):
        built("fixed", shares=shares)


@pytest.mark.parametrize(
    ("name", "parameters", "largest"),
    [
        ("beta", {"alpha": 0.2}, 0.899),
        ("beta", {"alpha": 1.0}, 0.750),
        ("uniform", {}, 0.750),
        ("beta", {"alpha": 2.0}, 0.688),
        ("beta", {"alpha": 0.0}, 1.0),
        ("dirichlet", {"count": 3, "alpha": 1.0}, 0.611),
        ("dirichlet", {"count": 4, "alpha": 1.0}, 0.520),
        ("dirichlet", {"count": 5, "alpha": 1.0}, 0.457),
        ("dirichlet", {"count": 10, "alpha": 1.0}, 0.293),
        ("dirichlet", {"count": 3, "alpha": 0.2}, 0.821),
        ("dirichlet", {"count": 5, "alpha": 0.2}, 0.703),
        ("dirichlet", {"count": 10, "alpha": 0.2}, 0.534),
        ("fixed", {"shares": [0.2, 0.8]}, 0.8),
    ],
)
def test_expected_strength_is_one_minus_the_mean_largest_share(name, parameters, largest):
    distribution = built(name, **parameters)
    assert distribution.expected_strength() == pytest.approx(1 - largest, abs=0.004)
    assert distribution.expected_strength() == distribution.expected_strength()
