"""PuzzleMix: masks of blocks that hide little content, with targets that follow the pixels."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from tuner.mixing.base import Guide, Mixture
from tuner.mixing.puzzle_energy import Grid, mask_energy, near_divisor
from tuner.mixing.puzzlemix import puzzlemix
from tuner.mixing.saliency import as_shares

ONE = torch.ones(1, 1, 1)
CONSTANTS = {"labels": 3, "beta": 1.2, "gamma": 0.5, "eta": 0.2, "neighbourhood": 4}
SIZES = [(1, 28, 28), (3, 32, 32), (3, 8, 8), (1, 3, 5), (2, 12, 40), (3, 33, 31)]


def pairs(own: float | torch.Tensor, batch: int) -> Mixture:
    """Return each example with the next one, at this ratio."""
    ratios = torch.as_tensor(own).expand(batch)
    return Mixture(
        torch.stack([torch.arange(batch), torch.arange(batch).roll(-1)], 1), torch.stack([ratios, 1 - ratios], 1)
    )


def random_guide(batch: int, height: int, width: int) -> Guide:
    rng = torch.Generator().manual_seed(2)
    return Guide(as_shares(torch.rand(batch, height, width, generator=rng).pow(4)), ONE)


def random_images(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def mask_of(images: torch.Tensor, mixture: Mixture, guide: Guide, **options: Any) -> torch.Tensor:
    """Return the masks that images have: what becomes of a channel that is 1 in the even ones and 0 in the odd ones."""
    marks = (torch.arange(len(images)) % 2 == 0).float().view(-1, 1, 1, 1).expand(-1, 1, *images.shape[2:])
    faint = torch.cat([images, 1e-9 * marks], dim=1)
    mixed, _ = puzzlemix(faint, mixture, torch.Generator().manual_seed(0), guide, transport=False, **options)
    mask = mixed[:, -1] * 1e9
    mask[1::2] = 1 - mask[1::2]
    return mask


@pytest.mark.parametrize("transport", [True, False])
@pytest.mark.parametrize("blocks", [2, 8, 16])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch", [1, 3])
def test_any_size_can_be_mixed_and_the_target_is_the_share_of_pixels(size, blocks, batch, transport):
    channels, height, width = size
    images = torch.eye(batch).view(batch, 1, batch, 1, 1).expand(-1, channels, -1, height, width).flatten(1, 2)
    mixture = pairs(torch.linspace(0.2, 0.8, batch), batch)
    rng = torch.Generator().manual_seed(0)
    guide = random_guide(batch, height, width)
    mixed, applied = puzzlemix(images, mixture, rng, guide, blocks=(blocks,), transport=transport)
    assert mixed.shape == images.shape
    shares = mixed.view(batch, channels, batch, height, width)[:, 0].mean(dim=(2, 3))
    torch.testing.assert_close(applied.targets(torch.arange(batch), batch), shares, rtol=0, atol=1e-6)


@pytest.mark.parametrize("labels", [2, 3, 4])
def test_a_block_is_of_one_share_and_the_shares_are_the_labels(labels):
    mask = mask_of(random_images(8, 3, 32, 32), pairs(0.4, 8), random_guide(8, 32, 32), blocks=(8,), labels=labels)
    in_blocks = mask.view(8, 8, 4, 8, 4)
    torch.testing.assert_close(in_blocks, in_blocks[:, :, :1, :, :1].expand_as(in_blocks), rtol=0, atol=1e-5)
    steps = mask * (labels - 1)
    torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-4)
    assert 2 <= len(steps.round().unique()) <= labels


def test_each_image_shows_where_its_content_is():
    saliency = torch.zeros(2, 16, 16)
    saliency[0, :, :8], saliency[1, :, 8:] = 1, 1
    mask = mask_of(torch.full((2, 1, 16, 16), 0.5), pairs(0.5, 2), Guide(as_shares(saliency), ONE), blocks=(4,))
    expected = torch.stack([saliency[0], saliency[0].flip(1)])
    torch.testing.assert_close(mask, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("own", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_heavy_prior_makes_all_blocks_its_likeliest_label(own):
    mask = mask_of(random_images(4, 3, 16, 16), pairs(own, 4), random_guide(4, 16, 16), blocks=(8,), eta=1e4)
    likeliest = int(3 * own) / 2
    torch.testing.assert_close(mask, torch.full_like(mask, likeliest), rtol=0, atol=1e-5)
    assert abs(likeliest - own) <= 1 / 3


def test_heavy_smoothness_makes_all_blocks_alike():
    mask = mask_of(random_images(6, 3, 32, 32), pairs(0.4, 6), random_guide(6, 32, 32), blocks=(8,), beta=1e4)
    torch.testing.assert_close(mask, mask[:, :1, :1].expand_as(mask), rtol=0, atol=1e-5)


def test_images_without_saliency_are_mixed_by_ratio_alone():
    uniform = Guide(torch.full((4, 16, 16), 1 / 256), ONE)
    mask = mask_of(torch.full((4, 3, 16, 16), 0.5), pairs(torch.tensor([0.1, 0.5, 0.9, 0.5]), 4), uniform, blocks=(8,))
    torch.testing.assert_close(mask.mean(dim=(1, 2)), torch.tensor([0.0, 0.5, 1.0, 0.5]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("own", [0.0, 1.0])
def test_a_ratio_of_0_or_1_leaves_one_image_even_without_a_prior(own):
    images = random_images(6, 3, 16, 16)
    mixed, applied = puzzlemix(
        images, pairs(own, 6), torch.Generator().manual_seed(0), random_guide(6, 16, 16), eta=0.0
    )
    assert torch.equal(mixed, images if own else images.roll(-1, 0))
    assert applied.ratios.tolist() == [[own, 1 - own]] * 6


def test_normalising_the_images_changes_no_mask():
    images, guide, mixture = random_images(8, 3, 32, 32), random_guide(8, 32, 32), pairs(0.4, 8)
    mean, deviation = torch.tensor([0.1, 0.5, 0.9]).view(3, 1, 1), torch.tensor([0.1, 0.5, 2.0]).view(3, 1, 1)
    rng = torch.Generator
    plain = puzzlemix(images, mixture, rng().manual_seed(0), guide)
    normalised = Guide(guide.saliency, 1 / deviation)
    scaled = puzzlemix((images - mean) / deviation, mixture, rng().manual_seed(0), normalised)
    assert torch.equal(scaled[1].ratios, plain[1].ratios)
    torch.testing.assert_close(scaled[0] * deviation + mean, plain[0])


def test_number_of_blocks_is_drawn_from_those_given():
    images, guide = random_images(4, 1, 32, 32), random_guide(4, 32, 32)
    rng = torch.Generator().manual_seed(0)
    drawn = [puzzlemix(images, pairs(0.4, 4), rng, guide, blocks=(2, 16), transport=False)[0] for _ in range(20)]
    alone = [puzzlemix(images, pairs(0.4, 4), rng, guide, blocks=(n,), transport=False)[0] for n in (2, 16)]
    of_two = sum(torch.equal(mixed, alone[0]) for mixed in drawn)
    assert of_two + sum(torch.equal(mixed, alone[1]) for mixed in drawn) == 20
    assert 4 <= of_two <= 16


def test_transport_brings_hidden_content_to_where_the_image_shows():
    images = torch.zeros(2, 1, 16, 16)
    images[0, :, 4:8, 4:8] = 1
    saliency = torch.full((2, 16, 16), 1e-3)
    saliency[0, 4:8, 4:8] = 1
    saliency[1, 4:8, 4:8], saliency[1, 4:8, 8:] = 3, 1  # covers the first image's content, and the right beside it
    guide, mixture = Guide(as_shares(saliency), ONE), pairs(torch.tensor([0.9, 0.1]), 2)
    stays, moves = (
        puzzlemix(images, mixture, torch.Generator().manual_seed(0), guide, blocks=(4,), beta=0.0, transport=on)
        for on in (False, True)
    )
    assert torch.equal(stays[1].ratios, moves[1].ratios)
    assert moves[0][0].sum() >= stays[0][0].sum()


@pytest.mark.parametrize(("height", "width", "blocks"), [(16, 16, 4), (12, 20, 4), (9, 7, 3)])
def test_energy_of_whole_images_in_blocks_is_what_is_hidden_and_how_rough_it_looks(height, width, blocks):
    images, guide = random_images(2, 3, height, width), random_guide(2, height, width)
    grid = Grid.of(images.shape[2:], blocks)
    energy = mask_energy(images, pairs(0.4, 2), guide, grid, **{**CONSTANTS, "neighbourhood": 1})
    rows, columns = grid.counts
    rng = torch.Generator().manual_seed(3)
    beta = 1.2 / (rows * columns) ** 0.5 / 16
    prior = -torch.tensor([0.6**2, 0.4**2]).log() * 0.2 / (rows * columns)
    differences = []
    for _ in range(10):
        shown = torch.randint(2, (rows, columns), generator=rng)
        pixels = grid.enlarged(shown[None].float(), images.shape[2:])[0]
        seen = pixels * images[0] + (1 - pixels) * images[1]
        hidden = ((1 - pixels) * guide.saliency[0] + pixels * guide.saliency[1]).sum()
        rough = sum(_roughness(seen.transpose(1, 2) if axis else seen, grid, axis) for axis in (0, 1))
        borders = sum(shown.diff(dim=axis).abs().sum() for axis in (0, 1))
        expected = hidden + prior[shown].sum() + beta * borders + beta * 0.5 * rough
        differences.append(energy.of(shown[..., None].expand(-1, -1, 2).float())[0] - expected)
    # The energy has a constant beside: what the images' borders would cost if they were changed over.
    torch.testing.assert_close(torch.stack(differences), differences[0].expand(10), rtol=0, atol=1e-5)


def test_parts_are_divisors_near_what_is_wanted():
    assert [near_divisor(side, 4) for side in (16, 8, 4, 2, 1, 7, 14, 6)] == [4, 4, 4, 2, 1, 7, 7, 3]


def _roughness(seen: torch.Tensor, grid: Grid, axis: int) -> float:
    """Return the differences across the borders between rows of blocks, averaged over channels and along a block."""
    total = 0.0
    (side, along), last = (grid.sides[axis], grid.sides[1 - axis]), seen.shape[2] - 1
    for row, block in itertools.product(range(1, grid.counts[axis]), range(grid.counts[1 - axis])):
        at = [min(column, last) for column in range(block * along, (block + 1) * along)]
        total += (seen[:, row * side - 1, at] - seen[:, row * side, at]).abs().mean().item()
    return total
