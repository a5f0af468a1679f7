"""Column CutMix: whole columns come from the partner, as many as the drawn share says."""

from __future__ import annotations

import pytest
import torch

from tests.mixing.cases import pairs
from tuner.mixing import ColumnGuide, Mixture
from tuner.mixing.column_cutmix import column_cutmix

# Six columns; the second has three features, the others one.
COLUMNS = torch.tensor([0, 1, 1, 1, 2, 3, 4, 5])
GUIDE = ColumnGuide(COLUMNS, 6)


def rows(count: int) -> torch.Tensor:
    """Row i is i in every feature, so that a mixed row says where each feature comes from."""
    return torch.arange(count).float()[:, None, None, None].expand(-1, len(COLUMNS), 1, 1).contiguous()


def mixed(mixture: Mixture, seed: int = 0) -> tuple[torch.Tensor, Mixture]:
    rng = torch.Generator().manual_seed(seed)
    found, really = column_cutmix(rows(len(mixture.sources)), mixture, rng, GUIDE)
    return found[:, :, 0, 0], really


def own_columns(found: torch.Tensor) -> torch.Tensor:
    """Return which columns of each mixed row are its own, and check that no column is divided."""
    is_own = found == torch.arange(len(found))[:, None]
    by_column = [is_own[:, column == COLUMNS] for column in range(6)]
    assert all(bool((one == one[:, :1]).all()) for one in by_column)
    return torch.stack([one[:, 0] for one in by_column], dim=1)


@pytest.mark.parametrize("is_shared", [False, True])
def test_columns_taken_follow_the_ratio_and_the_target_follows_the_columns(is_shared):
    ratios = [0.6] * 5 if is_shared else [1.0, 0.9, 0.6, 0.25, 0.0]
    found, really = mixed(pairs(*ratios, is_shared=is_shared))
    kept = own_columns(found).sum(dim=1)
    assert kept.tolist() == [6 - round(6 * (1 - ratio)) for ratio in ratios]
    torch.testing.assert_close(really.ratios[:, 0], kept / 6)
    torch.testing.assert_close(really.ratios.sum(dim=1), torch.ones(5))


def test_what_is_not_its_own_is_its_partners():
    found, _ = mixed(pairs(*[0.5] * 7))
    row, partner = torch.arange(7), torch.arange(7).roll(1)
    assert bool(((found == row[:, None]) | (found == partner[:, None])).all())


def test_a_batch_that_shares_its_ratio_shares_the_columns_and_others_do_not():
    shared, apart = (own_columns(mixed(pairs(*[0.5] * 40, is_shared=one))[0]) for one in (True, False))
    assert len(torch.unique(shared, dim=0)) == 1
    assert len(torch.unique(apart, dim=0)) > 10


def test_every_column_is_as_likely_whatever_its_features():
    # Of 6 columns 2 are taken: each is kept with probability 2/3, here in 4,000 rows, to within 5 deviations.
    found, _ = mixed(pairs(*[2 / 3] * 4000))
    kept = own_columns(found).double().mean(dim=0)
    assert (kept - 2 / 3).abs().max() < 5 * (2 / 9 / 4000) ** 0.5


def test_rows_without_height_and_width_are_mixed_alike():
    mixture, flat = pairs(0.5, 0.3, 0.8), rows(3)[:, :, 0, 0]
    expected, _ = mixed(mixture)
    found, _ = column_cutmix(flat, mixture, torch.Generator().manual_seed(0), GUIDE)
    assert torch.equal(found, expected)
