"""C-Mixup: partners follow the law of label distances, and are mixed as mixup mixes them."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import chisquare

from tuner.catalog import resolve
from tuner.mixing import METHODS, LabelGuide
from tuner.mixing.blend import blend
from tuner.mixing.c_mixup import nearby
from tuner.mixing.policy import MethodPolicy

LABELS = torch.tensor([-1.3, -0.2, 0.0, 0.1, 0.9, 2.5])


def policy(**options: float) -> MethodPolicy:
    return METHODS.build(resolve(METHODS, {"name": "c_mixup", **options}))


def law(bandwidth: float) -> torch.Tensor:
    """The probability of each partner (a column) for each example (a row), by the formula."""
    kernel = torch.exp(-((LABELS[:, None] - LABELS) ** 2) / (2 * bandwidth**2)).double().fill_diagonal_(0)
    return kernel / kernel.sum(dim=1, keepdim=True)


def partners(bandwidth: float, draws: int, device: str = "cpu") -> torch.Tensor:
    """How often each example had each partner."""
    rng = torch.Generator().manual_seed(7)
    counts = torch.zeros(len(LABELS), len(LABELS), dtype=torch.int64)
    for _ in range(draws):
        uniform = torch.rand(len(LABELS), dtype=torch.float64, generator=rng)
        found = nearby(LABELS.to(device), bandwidth, uniform.to(device)).cpu()
        counts[torch.arange(len(LABELS)), found] += 1
    return counts


@pytest.mark.parametrize("bandwidth", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_partners_have_the_probabilities_of_the_kernel(bandwidth, device):
    draws = 3000
    counts, expected = partners(bandwidth, draws, device), law(bandwidth) * draws
    assert counts.diagonal().sum() == 0
    for row, wanted in zip(counts, expected, strict=True):
        is_common = wanted >= 5  # the rest together, as the chi-square wants
        rare = wanted[~is_common].sum()
        seen, due = list(row[is_common]), list(wanted[is_common])
        if rare >= 5:
            seen, due = [*seen, row[~is_common].sum()], [*due, rare]
        else:
            due = [float(one) * float(sum(seen)) / float(sum(due)) for one in due]
        if len(seen) > 1:
            assert chisquare([float(one) for one in seen], [float(one) for one in due]).pvalue > 1e-4


def test_a_large_bandwidth_takes_any_partner_alike_and_a_small_one_the_nearest():
    uniform = torch.full((6, 6), 0.2, dtype=torch.float64).fill_diagonal_(0)
    torch.testing.assert_close(law(1e4), uniform, atol=1e-6, rtol=0)
    counts = partners(1e4, 2000)
    assert (counts / 2000 - uniform).abs().max() < 5 * (0.16 / 2000) ** 0.5
    assert nearby(LABELS, 1e-6, torch.rand(6, dtype=torch.float64)).tolist() == [1, 2, 3, 2, 3, 4]


@pytest.mark.parametrize("drawn", [0.0, 1 - 2**-53])
def test_the_ends_of_the_uniform_numbers_give_a_partner_too(drawn):
    for labels in (LABELS, LABELS.flip(0), torch.zeros(6)):
        found = nearby(labels, 0.5, torch.full((6,), drawn, dtype=torch.float64))
        assert bool((found != torch.arange(6)).all())
        assert bool(((found >= 0) & (found < 6)).all())


def test_a_row_alone_in_its_batch_is_mixed_with_itself():
    assert nearby(torch.tensor([3.0]), 1.0, torch.tensor([0.5], dtype=torch.float64)).tolist() == [0]


def test_features_and_targets_are_the_same_mixture_of_the_pair():
    features, rng = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)), torch.Generator().manual_seed(2)
    drawn = policy(bandwidth=0.5).draw(6, rng)
    assert drawn is not None
    found, really = drawn.apply(features, rng, LabelGuide(LABELS))
    torch.testing.assert_close(found, blend(features, really))
    partner = really.sources[:, 1]
    expected = really.ratios[:, 0] * LABELS + really.ratios[:, 1] * LABELS[partner]
    torch.testing.assert_close(really.targets(LABELS, 0), expected[:, None])
    assert bool((partner != torch.arange(6)).all())


def test_without_labels_it_says_what_it_wants():
    rng = torch.Generator()
    drawn = policy().draw(6, rng)
    assert drawn is not None
    with pytest.raises(ValueError, match="c_mixup is guided by labels; give a guide"):
        drawn.apply(torch.zeros(6, 4), rng)
