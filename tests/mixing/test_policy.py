"""A policy decides per batch whether to mix, where, and with whom."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from scipy import stats

from tuner.catalog import resolve
from tuner.mixing import METHODS, Mixture, Policy


def built(name: str, **parameters: Any) -> Policy:
    return METHODS.build(resolve(METHODS, {"name": name, **parameters}))


@pytest.mark.parametrize("probability", [0.25, 0.5, 0.9])
def test_share_of_mixed_batches_is_the_probability(probability, rng):
    policy = built("mixup", probability=probability)
    mixed = sum(policy.draw(2, rng) is not None for _ in range(4000))
    assert stats.binomtest(mixed, 4000, probability).pvalue > 1e-3


def test_probability_0_never_mixes_and_1_always(rng):
    never, always = built("mixup", probability=0.0), built("cutmix", probability=1.0)
    assert all(never.draw(2, rng) is None for _ in range(500))
    assert all(always.draw(2, rng) is not None for _ in range(500))


def test_each_depth_is_as_likely(rng):
    policy = built("mixup", depths=[0, 2, 5])
    drawn = [policy.draw(2, rng) for _ in range(3000)]
    counts = Counter(one.depth for one in drawn if one)
    assert sorted(counts) == [0, 2, 5]
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_first_source_is_the_example_itself_and_the_others_are_permutations(rng):
    drawn = built("mixup", ratio={"name": "dirichlet", "count": 4}).draw(9, rng)
    assert drawn is not None
    mixture = drawn.mixture
    assert torch.equal(mixture.sources[:, 0], torch.arange(9))
    for column in mixture.sources.T:
        assert torch.equal(column.sort().values, torch.arange(9))


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_more_sources_than_examples_are_defined(batch, rng):
    policy = built("mixup", ratio={"name": "dirichlet", "count": 10})
    drawn = policy.draw(batch, rng)
    assert drawn is not None
    mixture = drawn.mixture
    features = torch.randn(batch, 3, 4, 4)
    mixed, _ = drawn.apply(features, rng)
    expected = sum(mixture.ratios[:, k, None, None, None] * features[mixture.sources[:, k]] for k in range(10))
    torch.testing.assert_close(mixed, expected)


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        (
            "cutmix",
            {"ratio": {"name": "dirichlet", "count": 3}},
            "cutmix mixes 2 sources, got 3; use mixup for other counts",
        ),
        (
            "cutmix",
            {"ratio": {"name": "fixed", "shares": [1.0]}},
            "cutmix mixes 2 sources, got 1; use mixup for other counts",
        ),
        (
            "cutmix",
            {"ratio": {"name": "beta", "scale": 0.5}},
            "cutmix needs ratios that sum to 1, got scale 0.5; set scale to 1",
        ),
        ("cutmix", {"depths": [0, 1]}, r"cutmix mixes at depth 0 only, got depths \[0, 1\]"),
    ],
)
def test_what_a_method_cannot_do_is_refused_with_what_it_can(name, parameters, words):
    with pytest.raises(ValueError, match=words):
        built(name, **parameters)


def test_no_depth_at_all_is_refused():
    with pytest.raises(ValueError, match="depths: wanted a list, each a whole number >= 0 \\(at least 1\\)"):
        built("mixup", depths=[])


def test_strength_counts_the_share_of_mixed_batches():
    assert built("none").expected_strength() == 0
    assert built("mixup", probability=0.5).expected_strength() == pytest.approx(0.125, abs=0.002)


def test_targets_are_the_shares_of_each_class():
    mixture = Mixture(torch.tensor([[0, 1], [1, 0], [2, 0]]), torch.tensor([[0.6, 0.4], [0.5, 0.2], [0.9, 0.1]]))
    targets = mixture.targets(torch.tensor([4, 0, 4]), 5)
    expected = torch.tensor([[0.4, 0, 0, 0, 0.6], [0.5, 0, 0, 0, 0.2], [0, 0, 0, 0, 1.0]])
    torch.testing.assert_close(targets, expected)
