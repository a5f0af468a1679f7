"""Co-Mixup's objective and its descent: the outputs of each part of a batch in turn, all parts at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding, threshold

from tuner.mixing.potts import Potts, equal_neighbours, labelling

Labels = Int[Tensor, "parts outputs cells"]
Counts = Float[Tensor, "parts outputs inputs"]

_FORESEEN = (0.25, 1.0)
"""Shares of an output that the last round's prices reckon with."""


@dataclass(frozen=True)
class Problem:
    """What the outputs of each part are chosen by; an output is a grid of cells, each labelled with its input.

    `costs` are the cells' own (less is more salient), `compatibility` is the matrix A. Edges between cells
    of different inputs cost what `grids` says. With c the number of an output's cells from each input, and p those of
    all the other outputs, c pays `diversity` times A p for the inputs with A p above `threshold`. An output that is
    not `real` (the last part may be smaller) counts for nobody.
    """

    costs: Float[Tensor, "parts cells inputs"]
    compatibility: Float[Tensor, "parts inputs inputs"]
    real: Float[Tensor, "parts outputs"]
    diversity: float
    threshold: float
    grids: Potts

    def counts(self, labels: Int[Tensor, "*outputs cells"]) -> Float[Tensor, "*outputs inputs"]:
        """Return how many of each output's cells come from each input."""
        return self.one_hot(labels).sum(dim=-2)

    def one_hot(self, labels: Int[Tensor, "*outputs cells"]) -> Float[Tensor, "*outputs cells inputs"]:
        """Return 1 at each cell's input, 0 at the others."""
        return embedding(labels, self.grids.one_hot)

    def above(self, crowd: Tensor) -> Tensor:
        """Return `crowd` where it is above the threshold, 0 elsewhere."""
        return threshold(crowd, self.threshold, 0.0)


def objective(problem: Problem, labels: Labels) -> Float[Tensor, "parts 3"]:
    """Return what the descent lowers, in its three terms: the cells' costs, smoothness and diversity.

    Source: Kim, Choo, Jeong and Song, Co-Mixup (arXiv 2102.03065), section 4; the threshold stands on each input by
    itself, as in the authors' code (snu-mllab/Co-Mixup, `obj_fn_thres`, there without A), not on their sum.
    """
    one_hot = problem.one_hot(labels)
    counts = one_hot.sum(dim=2) * problem.real[..., None]
    crowd = (counts.sum(dim=1, keepdim=True) - counts) @ problem.compatibility
    costs = (problem.costs[:, None] * one_hot).sum(dim=(2, 3))
    edges = len(problem.grids.ends) / 2 - equal_neighbours(one_hot, problem.grids)
    terms = (costs, problem.grids.weight * edges, problem.diversity * (problem.above(crowd) * counts).sum(dim=2))
    return torch.stack([(term * problem.real).sum(dim=1) for term in terms], dim=1)


def descend(problem: Problem, labels: Labels, rounds: int) -> Labels:
    """Return better labels: each output in turn chooses anew while the others stay, `rounds` times over.

    In all rounds but the last an output pays twice for crowded inputs, for itself and in the name of the others, as if
    its choice did not change who is crowded: that frees it from the first labels, but the objective may rise.
    The last round never raises it: of what the output has, and what three prices lead to, it takes the best.
    """
    labels = labels.clone()
    counts = problem.counts(labels) * problem.real[..., None]
    for _ in range(rounds - 1):
        _reprice(problem, labels, counts)
    settle(problem, labels, counts)
    return labels


def _reprice(problem: Problem, labels: Labels, counts: Counts) -> None:
    total = counts.sum(dim=1)
    for output in range(labels.shape[1]):
        rest = total - counts[:, output]
        crowd = problem.above(rest[:, None] @ problem.compatibility)
        costs = torch.add(problem.costs, crowd, alpha=2 * problem.diversity)
        labels[:, output] = chosen = labelling(costs, problem.grids)
        counts[:, output] = own = problem.counts(chosen) * problem.real[:, output, None]
        total = rest + own


def settle(problem: Problem, labels: Labels, counts: Counts) -> None:
    """Let each output in turn take the best of four labellings, in place: the objective never rises."""
    total = counts.sum(dim=1)
    for output in range(labels.shape[1]):
        rest = total - counts[:, output]
        counts[:, output] = 0
        others = _others(problem, rest, counts)
        candidates = torch.cat([_candidates(problem, others), labels[:, output, None]], dim=1)
        one_hot = problem.one_hot(candidates)
        own = one_hot.sum(dim=2) * problem.real[:, output, None, None]
        best = _total(problem, others, one_hot, own).argmin(dim=1)[:, None, None]
        labels[:, output] = candidates.gather(1, best.expand(-1, 1, candidates.shape[2]))[:, 0]
        counts[:, output] = taken = own.gather(1, best.expand(-1, 1, own.shape[2]))[:, 0]
        total = rest + taken


@dataclass(frozen=True)
class _Others:
    """What one output finds: the others' counts, what each of them meets in all but the two, and its own price."""

    counts: Float[Tensor, "parts outputs inputs"]
    met: Float[Tensor, "parts outputs inputs"]
    price: Float[Tensor, "parts 1 inputs"]


def _others(problem: Problem, rest: Float[Tensor, "parts inputs"], counts: Counts) -> _Others:
    met = (rest[:, None] - counts) @ problem.compatibility
    return _Others(counts, met, problem.above(rest[:, None] @ problem.compatibility))


def _candidates(problem: Problem, others: _Others) -> Int[Tensor, "parts candidates cells"]:
    """Return the labellings of one output that three prices of the inputs lead to.

    The first is that of the rounds before. The others are for an output that takes a share of its cells from an
    input: what it then pays itself and how much more the others pay, divided by the number of these cells.
    """
    cells = problem.costs.shape[1]
    now = problem.above(others.met)
    prices = [2 * others.price]
    for share in _FORESEEN:
        more = (problem.above(others.met + share * cells) - now) * others.counts
        prices.append(others.price + more.sum(dim=1, keepdim=True) / (share * cells))
    costs = problem.costs[:, None] + problem.diversity * torch.cat(prices, dim=1)[:, :, None]
    return labelling(costs.flatten(0, 1), problem.grids).view(len(costs), len(prices), cells)


def _total(
    problem: Problem, others: _Others, one_hot: Tensor, own: Float[Tensor, "parts candidates inputs"]
) -> Float[Tensor, "parts candidates"]:
    """Return the objective for each candidate of one output, but for what no candidate changes."""
    costs = (problem.costs[:, None] * one_hot).sum(dim=(2, 3))
    crowds = others.met[:, None] + (own @ problem.compatibility)[:, :, None]
    theirs = (problem.above(crowds) * others.counts[:, None]).sum(dim=(2, 3))
    diversity = problem.diversity * ((others.price * own).sum(dim=2) + theirs)
    return costs - problem.grids.weight * equal_neighbours(one_hot, problem.grids) + diversity
