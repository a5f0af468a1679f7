"""Which piece of an image is shown where: pieces with content move from where they are hidden to where they are shown.

Places that are shown want pieces with much saliency from nearby; a piece at distance d (a share of the grid's side)
is worth its saliency less price * d^2 to them. Nothing moves unless a shown place gains by it.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Values = Float[Tensor, "batch rows columns"]
Places = Bool[Tensor, "batch rows columns"]
Pieces = Int[Tensor, "batch rows columns"]


def transported(
    images: Float[Tensor, "batch c h w"], saliency: Values, shown: Places, price: float, side: tuple[int, int]
) -> Float[Tensor, "batch c h w"]:
    """Return the images with their pieces of `side` pixels moved to places that are shown; others show themselves.

    Where the host need not wait for the device, only images in which something moves are touched.
    """
    if saliency.device.type == "cpu":
        moving = (_offers(saliency, ~shown, price)[0] > saliency).logical_and_(shown).flatten(1).any(dim=1)
        chosen = moving.nonzero()[:, 0]
        if not len(chosen):
            return images
        saliency, shown = saliency[chosen], shown[chosen]
    else:
        chosen = torch.arange(len(images), device=images.device)
    pixels = _pixels(settled(saliency, shown, price), side, images.shape[-2:])
    moved = images.index_select(0, chosen).flatten(2)
    moved = moved.gather(2, pixels.flatten(1)[:, None].expand(-1, images.shape[1], -1))
    return images.index_copy(0, chosen, moved.unflatten(2, images.shape[-2:]))


def settled(saliency: Values, shown: Places, price: float) -> Pieces:
    """Return the number of the piece that each place shows, counted row by row; each shown place has one of its own.

    All shown places start with their own piece and the hidden pieces are free. In each round every shown place asks
    for the free piece that is worth most to it, if that is more than what it has; a piece goes to the place to which
    it is worth most (the first of several), and what stood there becomes free. This ends where no place and free
    piece would both gain: where the official auction, in which pieces ask for places, ends if it has rounds enough.
    Its rounds are fewer, and leave some places black; here all places are filled after any round. A device that
    the host would wait for gets as many rounds as the grid has rows and columns, the CPU stops when nothing moves.

    Source: Kim, Choo and Song, Puzzle Mix (arXiv 2009.06962), section 3.4 and algorithm 2.
    """
    batch, rows, columns = saliency.shape
    worth, free = saliency.flatten(1).clone(), ~shown.flatten(1)
    held = torch.arange(rows * columns, device=saliency.device).repeat(batch, 1)
    for _ in range(2 * (rows + columns)):
        offer, piece = (found.flatten(1) for found in _offers(saliency, free.view_as(shown), price))
        asks = shown.flatten(1) & (offer > worth)
        if asks.device.type == "cpu" and not asks.any():
            break
        gains = _first_of_best(offer, piece, asks)
        # What stands at a gaining place becomes free before the pieces are handed out; the rest writes past the end.
        past = torch.full_like(piece, rows * columns)
        free = _marked(free, torch.where(gains, held, past), True)
        free = _marked(free, torch.where(gains, piece, past), False)
        held, worth = torch.where(gains, piece, held), torch.where(gains, offer, worth)
    return held.view_as(shown).long()


def _offers(saliency: Values, free: Places, price: float) -> tuple[Values, Pieces]:
    """Return for each place what the best free piece is worth there, and which one it is.

    Squared distances are sums over the two axes, so the best of all pieces is the best row of the best in each row.
    """
    _, rows, columns = saliency.shape
    value = saliency.masked_fill(~free, -torch.inf)
    value, column = (value[:, :, None] - price * _distances(columns, saliency)).max(dim=3)
    value, row = (value.transpose(1, 2)[:, :, None] - price * _distances(rows, saliency)).max(dim=3)
    value, row = value.transpose(1, 2), row.transpose(1, 2)
    return value, row * columns + column.gather(1, row)


def _distances(count: int, like: Tensor) -> Float[Tensor, "count count"]:
    at = torch.arange(count, device=like.device, dtype=like.dtype) / max(count - 1, 1)
    return (at[:, None] - at).square()


def _first_of_best(
    offer: Float[Tensor, "batch n"], piece: Int[Tensor, "batch n"], asks: Bool[Tensor, "batch n"]
) -> Bool[Tensor, "batch n"]:
    """Return the places that get the piece they ask for."""
    asked = offer.masked_fill(~asks, -torch.inf)
    best = torch.full_like(offer, -torch.inf).scatter_reduce(1, piece, asked, "amax")
    is_best = asks & (asked == best.gather(1, piece))
    place = torch.arange(offer.shape[1], device=offer.device).expand_as(piece)
    none = torch.full_like(piece, offer.shape[1])
    first = none.scatter_reduce(1, piece, torch.where(is_best, place, none), "amin")
    return is_best & (first.gather(1, piece) == place)


def _marked(flags: Bool[Tensor, "batch n"], at: Int[Tensor, "batch n"], value: bool) -> Bool[Tensor, "batch n"]:
    room = torch.cat([flags, flags[:, :1]], dim=1)
    return room.scatter(1, at, value)[:, :-1]


def _pixels(pieces: Pieces, side: tuple[int, int], size: torch.Size) -> Int[Tensor, "batch h w"]:
    """Return the number of the pixel that each pixel shows; beyond the image's edge stands its last row or column."""
    columns = pieces.shape[2]
    y, x = (torch.arange(length, device=pieces.device) for length in size)
    piece = pieces[:, y // side[0]][:, :, x // side[1]]
    from_y = (piece // columns * side[0] + (y % side[0])[:, None]).clamp(max=size[0] - 1)
    from_x = (piece % columns * side[1] + x % side[1]).clamp(max=size[1] - 1)
    return from_y * size[1] + from_x
