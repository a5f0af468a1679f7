"""Real problems for PuzzleMix's solver, and the graph cut of the official code to measure it by."""

from __future__ import annotations

import functools

import gco
import numpy as np
import torch
from torch.nn.functional import cross_entropy, pad

from tuner.datasets.fashion_mnist import fashion_mnist
from tuner.mixing.base import Guide, Mixture
from tuner.mixing.puzzle_energy import Grid, mask_energy
from tuner.mixing.saliency import as_shares, input_gradient
from tuner.mixing.tree_reweighted import GridEnergy, lowest_energy
from tuner.models.base import ImageShape
from tuner.models.small_cnn import small_cnn

BLOCKS = (2, 4, 8, 16)
CONSTANTS = {"labels": 3, "beta": 1.2, "gamma": 0.5, "eta": 0.2, "neighbourhood": 4}
SIDE = 32
"""FashionMNIST's 28 pixels with a border of 2, so that all the official numbers of blocks divide it."""

_MEAN, _DEVIATION = 0.2190, 0.3318


@functools.cache
def guided_images(count: int, steps: int) -> tuple[torch.Tensor, Guide]:
    """Return FashionMNIST images with the input gradients of a small network trained for so many batches."""
    training = fashion_mnist().training
    images = pad(torch.from_numpy(training.images[:20_000]).float() / 255, (2, 2, 2, 2)).sub(_MEAN).div(_DEVIATION)
    labels = torch.from_numpy(training.labels[:20_000])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = small_cnn(ImageShape(1, SIDE, SIDE), classes=10)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        for _ in range(steps):
            batch = torch.randint(len(images), (128,))
            loss = cross_entropy(network(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    chosen = slice(10_000, 10_000 + count)
    saliency = as_shares(input_gradient(network, images[chosen], labels[chosen]))
    return images[chosen], Guide(saliency, torch.tensor(1 / _DEVIATION).view(1, 1, 1))


def random_mixture(count: int, seed: int = 0) -> Mixture:
    """Return pairs of examples, with ratios uniform in [0, 1]."""
    rng = torch.Generator().manual_seed(seed)
    own = torch.rand(count, generator=rng)
    others = torch.randperm(count, generator=rng)
    return Mixture(torch.stack([torch.arange(count), others], dim=1), torch.stack([own, 1 - own], dim=1))


def real_energy(blocks: int, count: int, steps: int) -> GridEnergy:
    """Return the energies of `count` pairs of images, with the published constants."""
    images, guide = guided_images(count, steps)
    return mask_energy(images, random_mixture(count), guide, Grid.of(images.shape[-2:], blocks), **CONSTANTS)


def cut_by_gco(energy: GridEnergy) -> torch.Tensor:
    """Return the grades that alpha-beta swap finds, example by example, on integers scaled as in the official code."""
    labels, rows, columns, _ = energy.unary.shape
    scale = 1000 * rows * columns
    grades = np.linspace(0, 1, labels, dtype=np.float32)
    distances = np.square(grades[:, None] - grades)
    unary, down, across = (
        np.ascontiguousarray((scale * costs.movedim(-1, 0)).numpy().astype(np.int32))
        for costs in (energy.unary.movedim(0, 2).flip(2), energy.down, energy.across)
    )
    cuts = [
        gco.cut_grid_graph(costs, distances, below, right, algorithm="swap")
        for costs, below, right in zip(unary, down, across, strict=True)
    ]
    own = 1 - torch.from_numpy(np.stack(cuts)).float() / (labels - 1)
    return own.view(-1, rows, columns).permute(1, 2, 0)


def compared(energy: GridEnergy) -> dict[str, float]:
    """Return how much more the solver's labels cost than the graph cut's, and how often both are the same."""
    ours, theirs = lowest_energy(energy), cut_by_gco(energy)
    cost, reference = (_exact(energy, grades) for grades in (ours, theirs))
    excess = (cost - reference) / reference.abs()
    return {
        "cases": len(cost),
        "mean_excess": float((cost - reference).mean() / reference.abs().mean()),
        "share_worse_by_0.1%": float((excess > 1e-3).double().mean()),
        "share_not_worse": float((excess <= 1e-6).double().mean()),
        "largest_excess": float(excess.max()),
        "label_agreement": float((ours == theirs).double().mean()),
    }


def _exact(energy: GridEnergy, grades: torch.Tensor) -> torch.Tensor:
    double = GridEnergy(energy.unary.double(), energy.down.double(), energy.across.double())
    return double.of(grades.double())
