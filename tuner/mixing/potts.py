"""Label many small grids at once: each cell has a cost for every label, and neighbours pay for differing.

Moves of whole rectangles reach what changing one cell after the other does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import embedding

Costs = Float[Tensor, "grids cells labels"]
Labels = Int[Tensor, "grids cells"]

_SMALL = 4
"""Sides up to which rectangles of every length are tried; on longer ones their lengths are powers of two."""


@dataclass(frozen=True)
class Potts:
    """Grids whose edges between different labels cost `weight`, as the tensors that every move needs.

    After `moves` rectangles the mean total is about that of graph cuts, or below it (tests/mixing/test_graph_cuts.py).
    `ends` are the edges' first cells and then their second ones. The others belong to the rectangles: their cells
    (twice), the weight of each cell's edges into one from outside, and what all cells of one with the same label take
    off the total (`before`, `settled`).
    """

    weight: float
    moves: int
    neighbours: Float[Tensor, "cells cells"]
    colours: Bool[Tensor, "2 cells"]
    ends: Int[Tensor, " twice_edges"]
    one_hot: Float[Tensor, "labels labels"]
    inside: Bool[Tensor, "rectangles cells"]
    shares: Float[Tensor, "cells rectangles"]
    bordering: Float[Tensor, "cells rectangles"]
    before: Float[Tensor, "edges_and_cells rectangles"]
    settled: Float[Tensor, " rectangles"]


@lru_cache(maxsize=4)
def potts(height: int, width: int, labels: int, weight: float, device: torch.device) -> Potts:
    """Return grids of `height` x `width` cells, to be labelled from 0 to `labels` - 1; made once, used every batch."""
    cells = torch.arange(height * width).view(height, width)
    rows, columns = cells.flatten() // width, cells.flatten() % width
    neighbours = ((rows[:, None] - rows).abs() + (columns[:, None] - columns).abs() == 1).float()
    colour = (rows + columns) % 2 == 0
    first = torch.cat([cells[:-1].flatten(), cells[:, :-1].flatten()])
    second = torch.cat([cells[1:].flatten(), cells[:, 1:].flatten()])
    inside = (_spans(height)[:, None, :, None] & _spans(width)[None, :, None, :]).flatten(2).flatten(0, 1)
    shares = inside.float().T
    tensors = (
        neighbours,
        torch.stack([colour, ~colour]),
        torch.cat([first, second]),
        torch.eye(labels),
        inside,
        shares,
        weight * (neighbours @ shares) * (1 - shares),
        torch.cat([weight * shares[first].maximum(shares[second]), -shares]),
        weight * (shares[first] * shares[second]).sum(dim=0),
    )
    moves = max(2, max(height, width) // 2)
    return Potts(weight, moves, *(tensor.to(device, non_blocking=True) for tensor in tensors))


def equal_neighbours(one_hot: Float[Tensor, "*grids cells labels"], grids: Potts) -> Float[Tensor, "*grids"]:
    """Return how many of each grid's edges are between cells of one label."""
    return ((grids.neighbours @ one_hot) * one_hot).sum(dim=(-2, -1)) / 2


def labelling(costs: Costs, grids: Potts) -> Labels:
    """Return labels whose total is small: the cells' costs, and the weight of each edge between different labels.

    From each cell's cheapest label, one sweep of iterated conditional modes over the checkerboard; then the rectangle
    and label that lower the total the most, and again: twice on grids of 4 x 4 cells, more often on larger ones.

    Source: Besag, On the Statistical Analysis of Dirty Pictures (J. R. Stat. Soc. B 48, 1986), section 2.5, the sweep.
    """
    labels = costs.argmin(dim=-1)
    pull = grids.neighbours.expand(len(costs), -1, -1)
    for colour in grids.colours:
        one_hot = embedding(labels, grids.one_hot)
        better = torch.baddbmm(costs, pull, one_hot, alpha=-grids.weight).argmin(dim=-1)
        labels = torch.where(colour, better, labels)
    relabelled = costs.transpose(1, 2) @ grids.shares
    for _ in range(grids.moves):
        labels = _with_a_rectangle(labels, costs, relabelled, grids)
    return labels


def _with_a_rectangle(
    labels: Labels, costs: Costs, relabelled: Float[Tensor, "grids labels rectangles"], grids: Potts
) -> Labels:
    """Give all cells of one rectangle one label: of all rectangles and labels, those that lower the total the most.

    A rectangle of one cell with its own label changes nothing, so the total never rises.
    """
    one_hot = embedding(labels, grids.one_hot).transpose(1, 2)
    after = torch.baddbmm(relabelled, one_hot, grids.bordering.expand(len(labels), -1, -1), alpha=-1)
    first, second = labels.index_select(1, grids.ends).chunk(2, dim=1)
    own = costs.gather(2, labels[..., None])[..., 0]
    before = torch.addmm(grids.settled, torch.cat([(first == second).float(), own], dim=1), grids.before, beta=-1)
    chosen = (after.amin(dim=1) + before).argmin(dim=1)
    label = after.gather(2, chosen[:, None, None].expand(-1, after.shape[1], 1)).argmin(dim=1)
    return torch.where(grids.inside.index_select(0, chosen), label, labels)


def _spans(length: int) -> Bool[Tensor, "spans length"]:
    places = torch.arange(length)
    sizes = [size for size in range(1, length + 1) if length <= _SMALL or size == length or size & (size - 1) == 0]
    spans = [(places >= start) & (places < start + size) for size in sizes for start in range(length - size + 1)]
    return torch.stack(spans)
