"""Co-Mixup's solver against graph cuts (PyPI gco-wrapper), as its authors use them, on the saliency of real images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, cross_entropy

from tuner.datasets.fashion_mnist import fashion_mnist
from tuner.mixing.coordinate_descent import Problem, descend, objective
from tuner.mixing.potts import labelling, potts
from tuner.mixing.saliency import as_shares, input_gradient
from tuner.models.base import ImageShape
from tuner.models.small_cnn import small_cnn

pytestmark = pytest.mark.heavy

PARTS, PART, BLOCKS, ROUNDS = 60, 20, 4, 4
CELLS = BLOCKS**2
BETA, GAMMA, THRESHOLD, ETA, OMEGA = 0.32, 1.0, 0.83, 0.05, 0.001


@pytest.fixture(scope="module")
def saliency() -> torch.Tensor:
    """Return the input gradients of FashionMNIST under a network trained for half a minute."""
    if not Path("/usr/share/datasets/fashion-mnist").is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    training = fashion_mnist().training
    images = (torch.tensor(training.images[:6000]).float() - 73) / 90
    labels = torch.tensor(training.labels[:6000])
    network = trained(images, labels)
    return as_shares(input_gradient(network, images[: PARTS * PART], labels[: PARTS * PART]))


def trained(images: torch.Tensor, labels: torch.Tensor) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = small_cnn(ImageShape(*images.shape[1:]), 10, padding="same", dropout=0.0)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(3):
        for start in range(0, len(images), 100):
            optimizer.zero_grad()
            cross_entropy(network(images[start : start + 100]), labels[start : start + 100]).backward()
            optimizer.step()
    return network


def problem_of(saliency: torch.Tensor, rng: torch.Generator) -> Problem:
    """Return the parts' problem with the settings of the authors' code, written down once more."""
    parts, (height, width) = len(saliency) // PART, saliency.shape[1:]
    blocks = avg_pool2d(saliency[:, None], (height // BLOCKS, width // BLOCKS)).view(parts, PART, CELLS)
    prior = torch._standard_gamma(torch.full((parts, PART), 2.0), generator=rng)
    prior = prior / prior.sum(dim=1, keepdim=True)
    costs = -blocks / blocks.sum(dim=2, keepdim=True) - ETA / CELLS * prior.log()[..., None]
    smoothed = avg_pool2d(saliency[:, None], height // 4, stride=1)[:, 0]
    peak = smoothed.flatten(1).argmax(dim=1).view(parts, PART)
    place = torch.stack([peak // smoothed.shape[2], peak % smoothed.shape[2]], dim=2).float()
    distance = torch.cdist(place, place, p=1)
    compatibility = (1 - OMEGA) * torch.eye(PART) + OMEGA * PART * distance / distance.sum(dim=(1, 2), keepdim=True)
    grids = potts(BLOCKS, BLOCKS, PART, BETA / CELLS, torch.device("cpu"))
    real = torch.ones(parts, PART)
    return Problem(costs.transpose(1, 2).contiguous(), compatibility, real, GAMMA / CELLS, THRESHOLD * CELLS, grids)


def cut(costs: torch.Tensor) -> torch.Tensor:
    """Return the labels that alpha-beta swaps find for one grid, costs [cells, labels]."""
    import gco

    unary = np.ascontiguousarray(costs.numpy().reshape(BLOCKS, BLOCKS, -1))
    differing = (1 - np.eye(unary.shape[2])).astype(np.float32)
    down = np.full((BLOCKS - 1, BLOCKS), BETA / CELLS, np.float32)
    across = np.full((BLOCKS, BLOCKS - 1), BETA / CELLS, np.float32)
    return torch.from_numpy(gco.cut_grid_graph(unary, differing, down, across, algorithm="swap")).long().flatten()


def descend_by_cuts(problem: Problem, first: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return the labels of the authors' coordinate descent without its resolve step, and the costs of every cut."""
    labels, met = first.clone(), []
    for part, (costs, compatibility) in enumerate(zip(problem.costs, problem.compatibility, strict=True)):
        counts = torch.stack([torch.bincount(one, minlength=PART) for one in labels[part]]).float()
        for output in [*range(PART)] * ROUNDS:
            counts[output] = 0
            crowd = compatibility @ counts.sum(dim=0)
            met.append(costs + 2 * GAMMA / CELLS * crowd * (crowd > THRESHOLD * CELLS))
            labels[part, output] = cut(met[-1])
            counts[output] = torch.bincount(labels[part, output], minlength=PART).float()
    return labels, met


def written_out(problem: Problem, part: int, labels: torch.Tensor) -> tuple[float, float, float]:
    """Return one part's objective, output by output and cell by cell."""
    costs = edges = diversity = 0.0
    counts = torch.stack([torch.bincount(one, minlength=PART) for one in labels]).float()
    for output in range(PART):
        grid = labels[output].view(BLOCKS, BLOCKS)
        costs += sum(problem.costs[part, cell, label].item() for cell, label in enumerate(labels[output]))
        edges += ((grid[1:] != grid[:-1]).sum() + (grid[:, 1:] != grid[:, :-1]).sum()).item()
        crowd = problem.compatibility[part] @ (counts.sum(dim=0) - counts[output])
        diversity += (crowd * (crowd > THRESHOLD * CELLS) * counts[output]).sum().item()
    return costs, BETA / CELLS * edges, GAMMA / CELLS * diversity


def first_labels() -> torch.Tensor:
    return torch.randint(PART, (PARTS, PART, CELLS), generator=torch.Generator().manual_seed(1))


def test_the_descent_ends_lower_than_with_graph_cuts(saliency, rng):
    problem = problem_of(saliency, rng)
    ours = descend(problem, first_labels(), ROUNDS)
    theirs, _ = descend_by_cuts(problem, first_labels())
    lower, higher = objective(problem, ours), objective(problem, theirs)
    for part in range(3):
        assert lower[part].tolist() == pytest.approx(written_out(problem, part, ours[part]), rel=1e-4, abs=1e-4)
    assert lower.sum(dim=1).mean() <= higher.sum(dim=1).mean()
    # Both end in local optima, so part by part there is chance in it.
    assert (lower.sum(dim=1) > higher.sum(dim=1)).float().mean() < 0.45
    # Not bought with fewer salient blocks: without the diversity term it is as good.
    assert lower[:, :2].sum(dim=1).mean() <= 0.99 * higher[:, :2].sum(dim=1).mean()


def test_the_labelling_is_no_worse_than_graph_cuts(saliency, rng):
    problem = problem_of(saliency, rng)
    _, met = descend_by_cuts(problem, first_labels())
    costs = torch.stack(met)
    ours, theirs = total(costs, labelling(costs, problem.grids)), total(costs, torch.stack([cut(one) for one in met]))
    assert ours.mean() <= theirs.mean()
    assert (ours <= theirs + 1e-6).float().mean() > 0.85


def total(costs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    grid = labels.view(-1, BLOCKS, BLOCKS)
    edges = (grid[:, 1:] != grid[:, :-1]).sum(dim=(1, 2)) + (grid[:, :, 1:] != grid[:, :, :-1]).sum(dim=(1, 2))
    return costs.gather(2, labels[..., None]).sum(dim=(1, 2)) + BETA / CELLS * edges
