"""CutMix: boxes worked by hand, the law of their areas, and torchvision's law."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torchvision.transforms import v2

from tuner.mixing import Mixture
from tuner.mixing.cutmix import cutmix
from tuner.mixing.masks import box_mask, boxes, one_box
from tuner.mixing.ratios import beta


def swapped(ratio: float, batch: int = 2) -> Mixture:
    own = torch.arange(batch)
    return Mixture(torch.stack([own, own.roll(1)], dim=1), torch.tensor([[ratio, 1 - ratio]]).expand(batch, 2))


def test_mask_is_1_in_the_box_alone():
    masks = box_mask(torch.tensor([[1, 3, 0, 2], [0, 0, 1, 3]]), 3, 4)
    assert masks.tolist() == [[[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]], [[0, 0, 0, 0]] * 3]


def test_quarter_of_a_4x4_image_is_a_2x2_box(rng):
    images = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, 4, 4).contiguous()
    mixed, really = cutmix(images, swapped(0.75), rng, inside=True)
    assert really.ratios.tolist() == [[0.75, 0.25], [0.75, 0.25]]
    for image, pasted in zip(mixed[:, 0], (1.0, 0.0), strict=True):
        rows, columns = (torch.nonzero((image == pasted).any(dim=side)).flatten().tolist() for side in (1, 0))
        assert rows in ([0, 1], [1, 2], [2, 3])
        assert columns in ([0, 1], [1, 2], [2, 3])
        assert (image == pasted).sum() == 4


@pytest.mark.parametrize(
    ("height", "width", "sides"), [(8, 32, (4, 16)), (9, 5, (4, 2)), (1, 10, (0, 5)), (3, 3, (1, 1))]
)
def test_box_has_the_images_proportions_rounded_down(height, width, sides, rng):
    top, bottom, left, right = boxes(torch.full((500,), 0.25), height, width, True, rng).unbind(1)
    assert ((bottom - top).unique().tolist(), (right - left).unique().tolist()) == ([sides[0]], [sides[1]])
    assert (int(top.min()), int(bottom.max())) == (0, height if sides[0] else int(top.max()))
    assert (int(left.min()), int(right.max())) == (0, width)


@pytest.mark.parametrize("inside", [False, True])
def test_boxes_lie_in_the_image_and_every_pixel_is_hit(inside, rng):
    areas = torch.rand(4000, generator=rng)
    corners = boxes(areas, 7, 5, inside, rng)
    masks = box_mask(corners, 7, 5)
    assert (corners >= 0).all()
    assert (corners <= torch.tensor([7, 7, 5, 5])).all()
    assert (masks.sum(dim=0) > 0).all()
    assert (masks.mean(dim=(1, 2)) <= areas + 1e-6).all()


def mean_area(side: int, inside: bool) -> float:
    """The exact mean area at alpha 1, by going through every length and every centre."""
    mean = 0.0
    for length in range(side + 1):
        chance = (min(length + 1, side) ** 2 - min(length, side) ** 2) / side**2
        starts = [centre - length // 2 for centre in range(side)]
        overlaps = [min(start + length, side) - max(start, 0) for start in starts]
        edge = length / side if inside else sum(overlaps) / side**2
        mean += chance * edge**2
    return mean


@pytest.mark.parametrize(("inside", "multiple", "stated"), [(False, 1, 0.31), (False, 2, 0.30), (True, 1, 0.48)])
def test_mean_pasted_area_at_alpha_1_follows_the_law(inside, multiple, stated, rng):
    areas = 1 - beta(alpha=1.0).draw(40_000, rng)[:, 0]
    corners = boxes(areas, 32, 32, inside, rng, multiple=multiple)
    pasted = box_mask(corners, 32, 32).mean(dim=(1, 2))
    assert float(pasted.mean()) == pytest.approx(stated, abs=0.006)
    if multiple == 1:
        assert float(pasted.mean()) == pytest.approx(mean_area(32, inside), abs=0.004)


@pytest.mark.parametrize("side", [32, 33])
def test_official_boxes_have_torchvisions_law(side, rng):
    torch.manual_seed(0)
    theirs = v2.CutMix(alpha=0.7, num_classes=2)
    shares = [theirs.make_params([torch.empty(2, 1, side, side)])["lam_adjusted"] for _ in range(4000)]
    areas = 1 - beta(alpha=0.7).draw(4000, rng)[:, 0]
    ours, larger = (
        1 - box_mask(boxes(areas, side, side, False, rng, multiple=multiple), side, side).mean(dim=(1, 2))
        for multiple in (2, 1)
    )
    assert stats.ks_2samp(ours.numpy(), shares).pvalue > 1e-3
    assert float(larger.mean()) < float(ours.mean())


def test_target_without_correction_keeps_the_drawn_ratio(rng):
    images = torch.randn(6, 3, 8, 8, generator=rng)
    _, really = cutmix(images, swapped(0.9, 6), rng, correct_ratio=False)
    assert torch.equal(really.ratios, swapped(0.9, 6).ratios)


def test_each_example_gets_a_box_of_its_own(rng):
    images = torch.tensor([0.0, 1.0] * 20)[:, None, None, None].expand(40, 1, 16, 16).contiguous()
    mixed, _ = cutmix(images, swapped(0.75, 40), rng, inside=True)
    assert len((mixed != images).unique(dim=0)) > 20


@pytest.mark.parametrize("inside", [False, True])
def test_box_worked_out_by_the_host_is_the_tensors_box(inside):
    for seed in range(300):
        area = float(torch.rand((), generator=torch.Generator().manual_seed(seed)))
        host, device = (torch.Generator().manual_seed(seed) for _ in range(2))
        expected = boxes(torch.tensor([area]), 13, 9, inside, device, multiple=1 + seed % 2)[0].tolist()
        assert list(one_box(area, 13, 9, inside, host, multiple=1 + seed % 2)) == expected
