"""Co-Mixup: images of whole blocks, chosen together for a part of the batch."""

from __future__ import annotations

import itertools

import pytest
import torch

from tuner.mixing.base import Guide, Mixture
from tuner.mixing.comixup import comixup, compatibility
from tuner.mixing.coordinate_descent import Problem, descend, objective, settle
from tuner.mixing.potts import labelling, potts


def mixed_by_blocks(
    saliency: torch.Tensor, seed: int = 0, features: torch.Tensor | None = None, **options: object
) -> tuple[torch.Tensor, Mixture]:
    """Mix images of one colour each, so that the channels of the result are the masks of the sources."""
    batch = len(saliency)
    if features is None:
        features = torch.eye(batch)[:, :, None, None].expand(-1, -1, *saliency.shape[1:]).contiguous()
    given = Mixture(torch.arange(batch)[:, None], torch.ones(batch, 1))
    guide = Guide(saliency / saliency.sum(dim=(1, 2), keepdim=True), torch.ones(1, 1, 1))
    return comixup(features, given, torch.Generator().manual_seed(seed), guide, **options)


def random_saliency(batch: int, height: int = 16, width: int = 16) -> torch.Tensor:
    return torch.rand(batch, height, width, generator=torch.Generator().manual_seed(3)) ** 4


def halves(batch: int, size: int = 16) -> torch.Tensor:
    """All content of even images is in the left half, that of odd ones in the right half."""
    saliency = torch.full((batch, size, size), 1e-3)
    saliency[::2, :, : size // 2] = 1
    saliency[1::2, :, size // 2 :] = 1
    return saliency


def random_problem(parts: int, seed: int, threshold: float = 0.83) -> Problem:
    rng = torch.Generator().manual_seed(seed)
    costs = -torch.rand(parts, 16, 12, generator=rng) / 8
    skew = torch.rand(parts, 12, 12, generator=rng) / 50
    grids = potts(4, 4, 12, 0.02, torch.device("cpu"))
    real = torch.ones(parts, 12)
    real[-1, 9:] = 0
    return Problem(costs, torch.eye(12) + skew + skew.mT, real, 1 / 16, threshold * 16, grids)


def random_labels(problem: Problem, seed: int) -> torch.Tensor:
    parts, cells, inputs = problem.costs.shape
    return torch.randint(inputs, (parts, inputs, cells), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(16, 16), (28, 28), (33, 20), (3, 5), (1, 1)], ids=str)
@pytest.mark.parametrize("batch", [1, 2, 21, 45])
def test_every_pixel_has_one_source_and_the_target_is_its_mean(size, batch):
    masks, mixture = mixed_by_blocks(random_saliency(batch, *size), part=20)
    assert set(masks.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(masks.sum(dim=1), torch.ones(batch, *size))
    targets = mixture.targets(torch.arange(batch), batch)
    torch.testing.assert_close(targets, masks.mean(dim=(2, 3)), rtol=0, atol=1e-6)


def test_blocks_are_whole():
    masks, _ = mixed_by_blocks(random_saliency(20), blocks=4)
    blocks = masks.view(20, 20, 4, 4, 4, 4)
    assert torch.equal(blocks, blocks[:, :, :, :1, :, :1].expand_as(blocks))
    assert (masks.amax(dim=(2, 3)).sum(dim=1) > 1).any()


def test_sources_are_of_the_examples_own_part():
    _, mixture = mixed_by_blocks(random_saliency(45), part=20)
    parts = torch.arange(45) // 20
    assert torch.equal(parts[mixture.sources] * (mixture.ratios > 0), parts[:, None] * (mixture.ratios > 0))


def test_an_example_alone_in_the_last_part_stays_as_it_is():
    saliency = random_saliency(21)
    masks, mixture = mixed_by_blocks(saliency, part=20)
    assert torch.equal(masks[20], torch.eye(21)[20][:, None, None].expand(-1, 16, 16))
    assert mixture.targets(torch.arange(21), 21)[20, 20] == 1


def test_salient_halves_are_joined():
    saliency = halves(20)
    masks, mixture = mixed_by_blocks(saliency)
    assert ((mixture.ratios > 0).sum(dim=1) == 2).float().mean() > 0.9
    shares = saliency / saliency.sum(dim=(1, 2), keepdim=True)
    kept = torch.einsum("oihw,ihw->o", masks, shares)
    assert kept.mean() > 1.8  # two whole contents in one image; an image of the batch has one


def test_without_diversity_all_images_of_a_part_are_the_same_and_with_it_they_differ():
    saliency = random_saliency(20)
    alike, _ = mixed_by_blocks(saliency, gamma=0.0, iterations=1)
    assert torch.equal(alike, alike[:1].expand_as(alike))
    masks, _ = mixed_by_blocks(saliency)
    assert len(masks.flatten(1).unique(dim=0)) >= 15


def test_smoothness_lowers_the_number_of_sources():
    saliency = random_saliency(40)
    few, many = (mixed_by_blocks(saliency, beta=beta)[1] for beta in (1.0, 0.0))
    assert (few.ratios > 0).sum() < (many.ratios > 0).sum()


def test_compatibility_is_the_distance_between_the_most_salient_places():
    saliency = torch.full((4, 16, 16), 1e-3)
    saliency[0, :4, :4] = saliency[1, :4, 12:] = saliency[2, 12:, 12:] = 1  # peaks at (0, 0), (0, 12) and (12, 12)
    members, real = torch.tensor([[0, 1, 2], [3, 3, 3]]), torch.tensor([[True, True, True], [True, False, False]])
    matrix = compatibility(saliency, members, real, omega=0.1)
    far = 0.1 * torch.tensor([[0.0, 12, 24], [12, 0, 12], [24, 12, 0]]) / 32  # a row's sum is 32 in the mean
    torch.testing.assert_close(matrix[0], 0.9 * torch.eye(3) + far)
    torch.testing.assert_close(matrix[1], 0.9 * torch.eye(3))


def test_sources_that_are_far_apart_cost_less_in_one_image_than_in_two():
    grids = potts(1, 4, 2, 0.0, torch.device("cpu"))
    apart, joined = torch.tensor([[[0, 0, 0, 0], [1, 1, 1, 1]]]), torch.tensor([[[0, 0, 1, 1], [0, 0, 1, 1]]])
    far = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    problem = Problem(torch.zeros(1, 4, 2), far, torch.ones(1, 2), 1.0, 0.0, grids)
    # Each of the cells of an image meets those of the other image's other source: 4 x 4 twice, 2 x 2 four times.
    assert objective(problem, apart).tolist() == [[0.0, 0.0, 32.0]]
    assert objective(problem, joined).tolist() == [[0.0, 0.0, 16.0]]


def test_omega_changes_the_choice():
    saliency = random_saliency(20)
    assert not torch.equal(mixed_by_blocks(saliency, omega=0.5)[0], mixed_by_blocks(saliency, omega=0.0)[0])


def test_uniform_saliency_is_no_trouble():
    masks, mixture = mixed_by_blocks(torch.ones(21, 16, 16))
    torch.testing.assert_close(mixture.ratios.sum(dim=1), torch.ones(21))
    assert masks.isfinite().all()


def test_autocast_changes_nothing():
    saliency = random_saliency(20)
    masks, mixture = mixed_by_blocks(saliency)
    with torch.autocast("cpu", torch.bfloat16):
        same, also = mixed_by_blocks(saliency)
    assert torch.equal(masks, same)
    assert torch.equal(mixture.ratios, also.ratios)


@pytest.mark.parametrize("threshold", [0.0, 0.83])
def test_settling_never_raises_the_objective(threshold):
    problem = random_problem(8, seed=0, threshold=threshold)
    labels = random_labels(problem, seed=1)
    counts = problem.counts(labels) * problem.real[..., None]
    before = objective(problem, labels).sum(dim=1)
    first = before
    for _ in range(4):
        settle(problem, labels, counts)
        torch.testing.assert_close(counts, problem.counts(labels) * problem.real[..., None])
        after = objective(problem, labels).sum(dim=1)
        assert (after <= before + 1e-4).all()
        before = after
    assert (before < first).all()


def test_the_rounds_before_escape_the_first_labels():
    problem = random_problem(16, seed=0)
    labels = random_labels(problem, seed=1)
    settled, freed = (objective(problem, descend(problem, labels, rounds)).sum(dim=1).mean() for rounds in (1, 4))
    assert freed < settled


def test_outputs_that_are_not_real_count_for_nobody():
    problem = random_problem(2, seed=0)
    labels = random_labels(problem, seed=1)
    other = labels.clone()
    other[-1, 9:] = 0
    assert torch.equal(objective(problem, labels), objective(problem, other))
    assert torch.equal(descend(problem, labels, 3)[-1, :9], descend(problem, other, 3)[-1, :9])


def test_labelling_finds_the_best_of_all_labellings_of_small_grids():
    costs = torch.rand(300, 4, 3, generator=torch.Generator().manual_seed(0))
    grids = potts(2, 2, 3, 0.3, torch.device("cpu"))
    every = torch.tensor(list(itertools.product(range(3), repeat=4)))

    def total(labels: torch.Tensor) -> torch.Tensor:
        own = costs[:, None].expand(-1, labels.shape[1], -1, -1).gather(3, labels[..., None]).sum(dim=(2, 3))
        rows = labels.view(*labels.shape[:2], 2, 2)
        differing = (rows[:, :, 0] != rows[:, :, 1]).sum(dim=2) + (rows[..., 0] != rows[..., 1]).sum(dim=2)
        return own + 0.3 * differing

    least = total(every.expand(300, -1, -1)).amin(dim=1)
    found = total(labelling(costs, grids)[:, None])[:, 0]
    assert (found >= least - 1e-5).all()
    assert (found <= least + 1e-5).float().mean() > 0.95


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 3), (8, 8)], ids=str)
def test_labelling_is_no_worse_than_the_cheapest_labels_on_any_grid(size):
    height, width = size
    costs = torch.rand(20, height * width, 5, generator=torch.Generator().manual_seed(0))
    grids = potts(height, width, 5, 0.2, torch.device("cpu"))
    problem = Problem(costs, torch.zeros(20, 5, 5), torch.ones(20, 1), 0.0, 0.0, grids)
    found, start = (
        objective(problem, labels[:, None]).sum(dim=1) for labels in (labelling(costs, grids), costs.argmin(2))
    )
    assert (found <= start + 1e-5).all()
