"""Bi-tempered against logistic loss on a disc with noisy labels: which of them keeps the boundary that the noise hides.

After figure 1 of Amid et al. 2019 (arXiv 1906.03361), with its temperatures: points in a disc, the outer half of its
area one class and the inner half the other, and a small network trained on labels of which some are flipped. Accuracy
is on fresh points against the clean labels. The seeds' networks are trained side by side, both losses from the same
weights and on the same points. `--out` draws the regions, for the seed whose gain is the median one.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from measure import Target, arguments, print_document  # before torch does anything: one thread
from torch import Tensor, nn

from tuner.catalog import resolve
from tuner.losses import LOSSES, Loss

BOUNDARY = 0.5**0.5
POINTS, TEST_POINTS, HIDDEN = 400, 4000, (20, 20)
LEARNING_RATE, INPUT_SCALE = 0.03, 3.0


@dataclass(frozen=True)
class Noise:
    """Which labels are flipped (by distance from the boundary), how often, and the paper's temperatures for it."""

    nearest: float
    farthest: float
    share: float
    t1: float
    t2: float


NOISES = {
    "none": Noise(0, 1, 0.0, t1=0.2, t2=4.0),
    "small margin": Noise(0, 0.15, 0.4, t1=1.0, t2=4.0),
    "large margin": Noise(0.2, 1, 0.2, t1=0.2, t2=1.0),
    "random": Noise(0, 1, 0.25, t1=0.2, t2=4.0),
}


@dataclass(frozen=True)
class Trained:
    """One noise's data and what both losses made of it: a network and an accuracy for each seed."""

    points: Tensor
    labels: Tensor
    networks: dict[str, nn.Module]
    accuracies: dict[str, list[float]]

    def gains(self) -> list[float]:
        """Return for each seed what bi-tempered's accuracy is above logistic's."""
        pairs = zip(self.accuracies["bi-tempered"], self.accuracies["logistic"], strict=True)
        return [tempered - logistic for tempered, logistic in pairs]


class Networks(nn.Module):
    """A tanh network for each seed."""

    def __init__(self, seeds: int, rng: torch.Generator) -> None:
        super().__init__()
        sizes = (2, *HIDDEN, 2)
        weights = [torch.randn(seeds, a, b, generator=rng) / a**0.5 for a, b in pairwise(sizes)]
        self.weights = nn.ParameterList(weights)
        self.biases = nn.ParameterList([torch.zeros(seeds, 1, size) for size in sizes[1:]])

    def forward(self, points: Tensor) -> Tensor:
        """Return logits [seeds, points, 2]."""
        maps = INPUT_SCALE * points
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            maps = torch.baddbmm(bias, torch.tanh(maps) if layer else maps, weight)
        return maps


def main() -> None:
    parser = arguments("bi-tempered against logistic loss under article D's four noises")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--out", type=Path, help="where to write the picture (png)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds, steps = (2, 50) if options.quick else (options.seeds, options.steps)
    trained = {name: run(noise, seeds, steps) for name, noise in NOISES.items()}
    if options.out:
        draw(trained, options.out)
    gains = {name: result.gains() for name, result in trained.items()}
    print_document(
        "noisy_boundary",
        options.quick,
        [
            Target("none: accuracy gained", statistics.mean(gains["none"]), -0.005, 0),
            *(
                Target(f"{name}: accuracy gained", statistics.mean(gains[name]), 0.01, 0.03)
                for name in list(NOISES)[1:]
            ),
        ],
        setting={"seeds": seeds, "steps": steps, "points": POINTS, "hidden": HIDDEN, "unit": "share of clean labels"},
        noises={name: summary(result, NOISES[name]) for name, result in trained.items()},
    )


def run(noise: Noise, seeds: int, steps: int) -> Trained:
    """Train both losses on every seed's noisy points, and score them on clean ones."""
    rng = torch.Generator().manual_seed(0)
    points, fresh = disc(seeds, POINTS, rng), disc(seeds, TEST_POINTS, rng)
    labels = flipped(points, noise, rng)
    weights = rng.get_state()
    networks, accuracies = {}, {}
    for name, config in {
        "logistic": {"name": "cross_entropy"},
        # For two classes 4 steps find the normaliser to the last digit.
        "bi-tempered": {"name": "bi_tempered", "t1": noise.t1, "t2": noise.t2, "steps": 4},
    }.items():
        rng.set_state(weights)
        networks[name] = train(Networks(seeds, rng), points, labels, LOSSES.build(resolve(LOSSES, config)), steps)
        with torch.no_grad():
            right = networks[name](fresh).argmax(dim=2) == clean(fresh)
        accuracies[name] = right.float().mean(dim=1).tolist()
    return Trained(points, labels, networks, accuracies)


def disc(seeds: int, points: int, rng: torch.Generator) -> Tensor:
    """Return points spread evenly over the disc of radius 1."""
    radius, angle = (
        torch.rand(seeds, points, generator=rng).sqrt(),
        2 * torch.pi * torch.rand(seeds, points, generator=rng),
    )
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=2)


def clean(points: Tensor) -> Tensor:
    """Return the labels without noise: 1 outside of the boundary."""
    return (points.norm(dim=-1) > BOUNDARY).long()


def flipped(points: Tensor, noise: Noise, rng: torch.Generator) -> Tensor:
    """Return the labels with the noise."""
    distance = (points.norm(dim=-1) - BOUNDARY).abs()
    met = (distance >= noise.nearest) & (distance <= noise.farthest)
    flip = met & (torch.rand(distance.shape, generator=rng) < noise.share)
    return torch.where(flip, 1 - clean(points), clean(points))


def train(networks: Networks, points: Tensor, labels: Tensor, loss: Loss, steps: int) -> Networks:
    """Train every seed's network on all its points at each step, with Adam and a rate that falls to zero."""
    targets = nn.functional.one_hot(labels.flatten(), 2).float()
    optimizer = torch.optim.Adam(networks.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    for _ in range(steps):
        optimizer.zero_grad()
        # The mean over all seeds' points: times their number, every network sees its own mean.
        (loss(networks(points).flatten(0, 1), targets) * len(points)).backward()
        optimizer.step()
        schedule.step()
    return networks


def summary(result: Trained, noise: Noise) -> dict[str, Any]:
    """Return one noise's numbers."""
    gains = result.gains()
    error = statistics.stdev(gains) / len(gains) ** 0.5
    return {
        "t1": noise.t1,
        "t2": noise.t2,
        "labels_flipped": float((result.labels != clean(result.points)).float().mean()),
        "accuracy": {name: statistics.mean(values) for name, values in result.accuracies.items()},
        "worst_accuracy": {name: min(values) for name, values in result.accuracies.items()},
        "gain": {"mean": statistics.mean(gains), "standard_error": error, "seeds": gains},
    }


def draw(trained: dict[str, Trained], file: Path) -> None:
    """Draw for each noise what both losses take for the inside, with the points and the true boundary."""
    import matplotlib as mpl  # comes with mlflow

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, len(trained), figsize=(3.2 * len(trained), 6.8), constrained_layout=True)
    lines = torch.linspace(-1.05, 1.05, 211)
    plane = torch.stack(torch.meshgrid(lines, lines, indexing="xy"), dim=2).view(1, -1, 2)
    for column, (name, result) in enumerate(trained.items()):
        gains = result.gains()
        seed = gains.index(statistics.median_low(gains))
        points, labels = result.points[seed].T, result.labels[seed].bool()
        wrong = labels != clean(result.points[seed]).bool()
        for row, (loss, networks) in enumerate(result.networks.items()):
            with torch.no_grad():
                outside = networks(plane.expand(len(gains), -1, 2)).argmax(dim=2)[seed].view(len(lines), -1)
            axis = axes[row, column]
            axis.contourf(lines, lines, outside.numpy(), levels=[-0.5, 0.5, 1.5], colors=["#9ec5e8", "#f6c78f"])
            axis.add_patch(pyplot.Circle((0, 0), BOUNDARY, fill=False, linestyle="--", linewidth=1.2))
            axis.add_patch(pyplot.Circle((0, 0), 1, fill=False, linewidth=0.8))
            for chosen, colour in ((~labels, "#1f5f99"), (labels, "#b3590a")):
                axis.plot(*points[:, chosen & ~wrong].numpy(), ".", color=colour, markersize=3)
                axis.plot(*points[:, chosen & wrong].numpy(), "x", color=colour, markersize=4)
            noise = NOISES[name]
            temperatures = f" ({noise.t1:g}, {noise.t2:g})" if loss == "bi-tempered" else ""
            axis.set_title(f"{name}: {loss}{temperatures}, {100 * result.accuracies[loss][seed]:.1f} %", fontsize=8)
            axis.set(aspect="equal", xticks=[], yticks=[])
    figure.suptitle("Regions learnt from noisy labels (crosses: flipped; dashes: the true boundary)", fontsize=10)
    figure.savefig(file, dpi=80)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
