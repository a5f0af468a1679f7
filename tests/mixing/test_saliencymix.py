"""SaliencyMix: each box lies around the peak of the image that it is taken from."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.mixing.cases import applied, pairs
from tuner.catalog import resolve
from tuner.mixing import METHODS, Guide, guide
from tuner.mixing.saliencymix import saliencymix

HEIGHT, WIDTH = 13, 10


def numbered(batch: int) -> Tensor:
    """Image i is i everywhere."""
    return torch.arange(float(batch))[:, None, None, None].expand(-1, 1, HEIGHT, WIDTH).contiguous()


def guide_to(peaks: list[tuple[int, int]]) -> Guide:
    saliency = torch.full((len(peaks), HEIGHT, WIDTH), 0.001)
    for image, (row, column) in zip(saliency, peaks, strict=True):
        image[row, column] = 1
    return Guide(saliency / saliency.sum(dim=(1, 2), keepdim=True), torch.ones(1, 1, 1))


def span(middle: int, length: int, size: int) -> range:
    return range(max(0, middle - length // 2), min(size, middle - length // 2 + length))


@pytest.fixture
def peaks(rng) -> list[tuple[int, int]]:
    rows, columns = (torch.randint(size, (40,), generator=rng).tolist() for size in (HEIGHT, WIDTH))
    return list(zip(rows, columns, strict=True))


@pytest.mark.parametrize(("own", "box"), [(0.75, (6, 5)), (0.36, (10, 8)), (0.98, (1, 1)), (0.0, (13, 10))])
@pytest.mark.parametrize("is_shared", [False, True])
def test_box_lies_around_the_peak_of_the_image_it_is_taken_from(peaks, rng, own, box, is_shared):
    images = numbered(40)
    mixed, mixture = saliencymix(images, pairs(*[own] * 40, is_shared=is_shared), rng, guide_to(peaks))
    for i in range(40):
        row, column = peaks[i - 1]
        rows, columns = span(row, box[0], HEIGHT), span(column, box[1], WIDTH)
        expected = images[i].clone()
        expected[:, rows.start : rows.stop, columns.start : columns.stop] = (i - 1) % 40
        assert torch.equal(mixed[i], expected)
        assert mixed[i, 0, row, column] == (i - 1) % 40
        assert mixture.ratios[i, 1] == pytest.approx(len(rows) * len(columns) / (HEIGHT * WIDTH), abs=1e-6)


def test_official_has_one_box_of_even_sides_around_the_first_partners_peak(peaks, rng):
    mixed, mixture = saliencymix(numbered(40), pairs(0.75, *[0.1] * 39), rng, guide_to(peaks), official=True)
    changed = (mixed != numbered(40))[:, 0]
    assert torch.equal(changed, changed[:1].expand(40, -1, -1))
    rows, columns = span(peaks[-1][0], 6, HEIGHT), span(peaks[-1][1], 4, WIDTH)
    assert changed[0].any(dim=1).nonzero()[:, 0].tolist() == list(rows)
    assert changed[0].any(dim=0).nonzero()[:, 0].tolist() == list(columns)
    assert mixture.ratios[:, 1].tolist() == pytest.approx([len(rows) * len(columns) / (HEIGHT * WIDTH)] * 40)


def test_a_bright_dot_is_carried_over_by_the_default_saliency(rng):
    policy = METHODS.build(resolve(METHODS, "saliencymix"))
    images = 0.1 * torch.rand(16, 3, 28, 28, generator=rng)
    dots = torch.randint(28, (16, 2), generator=rng)
    images[torch.arange(16), :, dots[:, 0], dots[:, 1]] = 1
    drawn = policy.draw(16, rng)
    assert drawn is not None
    leading = guide(policy.saliency, nn.Identity(), images, torch.zeros(16, dtype=torch.int64), torch.ones(1, 1, 1))
    mixed, mixture = drawn.apply(images, rng, leading)
    others = mixture.sources[:, 1]
    shown = mixed[torch.arange(16), :, dots[others, 0], dots[others, 1]]
    assert (shown[mixture.ratios[:, 1] > 0] == 1).all()
    assert (mixture.ratios[:, 1] > 0).sum() > 10


def test_without_a_guide_the_message_names_the_saliency(rng):
    policy = METHODS.build(resolve(METHODS, "saliencymix"))
    drawn = policy.draw(4, rng)
    with pytest.raises(ValueError, match="saliencymix is guided by saliency centre_surround; give a guide"):
        drawn.apply(torch.rand(4, 3, 8, 8), rng)


def test_the_law_of_areas_is_not_that_of_uniform_places():
    # A box around a peak in the middle is never clipped, CutMix's often is.
    policy = METHODS.build(
        resolve(METHODS, {"name": "saliencymix", "ratio": {"name": "fixed", "shares": [0.75, 0.25]}})
    )
    images = torch.zeros(64, 1, 16, 16)
    images[:, :, 8, 8] = 1
    _, mixture = applied(policy, images)
    assert torch.equal(mixture.ratios, torch.tensor([[0.75, 0.25]]).expand(64, 2))
