"""SnapMix: two boxes, one resized into the other, and a target by the saliency that each shows."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.nn.functional import interpolate

from tests.mixing.cases import pairs
from tuner.catalog import resolve
from tuner.mixing import METHODS, Guide
from tuner.mixing.cutmix import cutmix
from tuner.mixing.ratios import uniform
from tuner.mixing.resample import resized_into
from tuner.mixing.saliency import as_shares
from tuner.mixing.snapmix import snapmix


def guide_of(saliency: Tensor) -> Guide:
    return Guide(as_shares(saliency), torch.ones(1, 1, 1))


def uniform_guide(batch: int, size: int) -> Guide:
    return guide_of(torch.ones(batch, size, size))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((0, 9, 0, 7), (0, 9, 0, 7)),
        ((2, 6, 1, 7), (3, 9, 0, 2)),
        ((4, 5, 3, 4), (0, 8, 1, 6)),
        ((0, 9, 2, 5), (7, 8, 6, 7)),
        ((1, 4, 0, 7), (5, 8, 0, 7)),
    ],
)
def test_resizing_is_that_of_the_cut_out_box(rng, align_corners, source, target):
    images = torch.rand(2, 3, 9, 7, generator=rng)
    elsewhere = (0, 2, 0, 2)
    sources, targets = torch.tensor([source, elsewhere]), torch.tensor([target, elsewhere])
    resized = resized_into(images, sources, targets, align_corners=align_corners)
    (a, b, c, d), (top, bottom, left, right) = source, target
    size = (bottom - top, right - left)
    expected = interpolate(images[:1, :, a:b, c:d], size, mode="bilinear", align_corners=align_corners)
    torch.testing.assert_close(resized[:1, :, top:bottom, left:right], expected)
    torch.testing.assert_close(resized[1, :, :2, :2], images[1, :, :2, :2])


def test_a_quarter_by_hand():
    # 4x4 images, boxes of 2x2: nothing is resized, so that each pasted pixel tells where it was taken from.
    images = torch.stack([torch.zeros(1, 4, 4), torch.arange(1.0, 17).view(1, 4, 4)])
    saliency = as_shares(torch.stack([torch.arange(16.0).view(4, 4), torch.arange(16.0, 0, -1).view(4, 4)]))
    whole = 0
    for seed in range(60):
        rng = torch.Generator().manual_seed(seed)
        mixed, mixture = snapmix(images, pairs(0.75, 0.75), rng, guide_of(saliency))
        target = mixed[0, 0] != 0
        places = (mixed[0, 0][target] - 1).round().long()
        if target.sum() < 4 or len(places.unique()) < 4 or places.max() - places.min() != 5:
            continue  # one of the boxes was clipped
        whole += 1
        assert mixture.ratios[0, 0] == pytest.approx(float(1 - saliency[0][target].sum()), abs=1e-6)
        assert mixture.ratios[0, 1] == pytest.approx(float(saliency[1].flatten()[places].sum()), abs=1e-6)
    assert whole > 10


def test_uniform_saliency_and_whole_boxes_give_cutmix_weights(rng):
    images = torch.rand(200, 1, 16, 16, generator=rng)
    _, mixture = snapmix(images, pairs(*[0.75] * 200), rng, uniform_guide(200, 16))
    _, by_area = cutmix(images, pairs(*[0.75] * 200), rng, inside=True)
    whole = (mixture.ratios[:, 0] < 0.7501) & (mixture.ratios[:, 1] > 0.2499)
    assert whole.sum() > 10
    torch.testing.assert_close(mixture.ratios[whole], by_area.ratios[whole])


def test_uniform_saliency_gives_the_areas_of_the_two_boxes(rng):
    images = torch.stack([torch.zeros(1, 16, 16), torch.ones(1, 16, 16)]).repeat(100, 1, 1, 1)
    mixed, mixture = snapmix(images, pairs(*torch.rand(200, generator=rng).tolist()), rng, uniform_guide(200, 16))
    covered = (mixed != images).float().mean(dim=(1, 2, 3))
    torch.testing.assert_close(1 - mixture.ratios[:, 0], covered, rtol=0, atol=1e-6)
    assert mixture.ratios.sum(dim=1).std() > 0.1


def test_all_saliency_covered_and_none_brought_leaves_no_label(rng):
    saliency = torch.zeros(400, 8, 8)
    saliency[:, 4, 4] = 1
    images = torch.rand(400, 1, 8, 8, generator=rng)
    mixed, mixture = snapmix(images, pairs(*[0.75] * 400), rng, guide_of(saliency))
    covered = mixed[:, 0, 4, 4] != images[:, 0, 4, 4]
    assert torch.equal(mixture.ratios[:, 0], 1 - covered.float())
    assert set(mixture.ratios.sum(dim=1).tolist()) == {0.0, 1.0, 2.0}


def test_shares_are_between_0_and_1(rng):
    saliency = torch.rand(500, 9, 5, generator=rng) ** 20
    ratios = pairs(*uniform().draw(500, rng)[:, 0].tolist())
    _, mixture = snapmix(torch.rand(500, 1, 9, 5, generator=rng), ratios, rng, guide_of(saliency))
    assert mixture.ratios.min() >= 0
    assert mixture.ratios.max() <= 1


def test_the_two_boxes_have_sizes_of_one_law_drawn_independently(rng):
    own = uniform().draw(4000, rng)[:, 0]
    images = torch.rand(4000, 1, 16, 16, generator=rng)
    _, mixture = snapmix(images, pairs(*own.tolist()), rng, uniform_guide(4000, 16))
    is_mixed = mixture.ratios[:, 1] > 0
    covered, taken = 1 - mixture.ratios[is_mixed, 0].numpy(), mixture.ratios[is_mixed, 1].numpy()
    assert stats.ks_2samp(covered, taken).pvalue > 1e-3
    assert stats.pearsonr(covered, taken).pvalue > 1e-3


@pytest.mark.parametrize("own", [(0.0, 1.0), (1.0, 0.0)])
def test_an_example_stays_unmixed_where_either_box_is_empty(rng, own):
    images = torch.rand(2, 3, 8, 8, generator=rng)
    mixed, mixture = snapmix(images, pairs(*own), rng, uniform_guide(2, 8))
    assert torch.equal(mixed, images)
    assert mixture.ratios.tolist() == [[1, 0], [1, 0]]


def test_one_ratio_for_the_batch_gives_one_pair_of_boxes(rng):
    images = torch.arange(6.0)[:, None, None, None].expand(-1, 1, 16, 16).contiguous()
    mixed, _ = snapmix(images, pairs(*[0.6] * 6, is_shared=True), rng, uniform_guide(6, 16))
    changed = mixed != images
    assert changed.any()
    assert torch.equal(changed, changed[:1].expand_as(changed))


def test_a_pair_of_one_class_has_the_sum_of_both_shares(rng):
    images = torch.rand(8, 1, 16, 16, generator=rng)
    _, mixture = snapmix(images, pairs(*[0.6] * 8), rng, guide_of(torch.rand(8, 16, 16, generator=rng)))
    targets = mixture.targets(torch.zeros(8, dtype=torch.int64), 3)
    torch.testing.assert_close(targets[:, 0], mixture.ratios.sum(dim=1))
    assert (targets[:, 1:] == 0).all()


@pytest.mark.parametrize(("official", "side"), [(False, 5), (True, 4)])
def test_official_has_even_sides_and_keeps_corners(rng, official, side):
    ramp = torch.arange(10.0).expand(10, 10)
    images = torch.stack([torch.full((1, 10, 10), -1.0), ramp[None]]).repeat(200, 1, 1, 1)
    mixed, _ = snapmix(images, pairs(*[0.75] * 400), rng, uniform_guide(400, 10), official=official)
    changed = (mixed[::2, 0] >= 0).any(dim=1)
    assert changed.sum(dim=1).max() == side
    rows = [row[row >= 0] for image in mixed[::2, 0] for row in image if (row >= 0).sum() == side]
    # A clipped source box is stretched: corner to corner a ramp stays one up to its ends.
    assert all(torch.allclose(row.diff(), row.diff()[:1], atol=1e-4) for row in rows) == official


def test_its_defaults_are_the_papers():
    config = resolve(METHODS, "snapmix")
    assert config["ratio"]["alpha"] == 5.0
    assert METHODS.build(config).saliency == "class_activation"
    assert METHODS["snapmix"].facts.keeps_mass is False
