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

_FINENESS = 2**32
"""Saliency and prices are compared as whole numbers of this part of 1: as fine as float32 has them."""

_FAR = 2.0**52
"""More than any way."""


def transported(
    images: Float[Tensor, "batch c h w"], saliency: Values, shown: Places, price: float, side: tuple[int, int]
) -> Float[Tensor, "batch c h w"]:
    """Return the images with their pieces of `side` pixels moved to places that are shown; others show themselves.

    Where the host need not wait for the device, only images in which something moves are touched.
    """
    if saliency.device.type == "cpu":
        chosen = _is_moving(saliency, shown, price).nonzero()[:, 0]
        if not len(chosen):
            return images
        saliency, shown = saliency[chosen], shown[chosen]
    else:
        chosen = torch.arange(len(images), device=images.device)
    pixels = _pixels(settled(saliency, shown, price), side, images.shape[-2:])
    moved = images.index_select(0, chosen).flatten(2)
    moved = moved.gather(2, pixels.flatten(1)[:, None].expand(-1, images.shape[1], -1))
    # `index_copy` alone forgets channels last.
    return images.clone().index_copy_(0, chosen, moved.view(len(chosen), *images.shape[1:]))


def settled(saliency: Values, shown: Places, price: float) -> Pieces:
    """Return the number of the piece that each place shows, counted row by row; each shown place has one of its own.

    In each round a shown place looks for the piece that is worth most to it, a piece for the shown place nearest to
    it, and where two have found each other they are settled and leave. At the end no piece and place would both gain
    by leaving what they have for each other: that is where the official auction ends, if it has rounds enough; what
    its rounds leave unsettled is black. Here an unsettled place keeps its own piece, which nobody else can have
    before. The CPU goes on with the examples that are not settled yet; a device that the host would have to wait for
    gets as many rounds as the grid has rows and columns, more than images were seen to need.

    Source: Kim, Choo and Song, Puzzle Mix (arXiv 2009.06962), section 3.4 and algorithm 2.
    """
    batch, rows, columns = saliency.shape
    count, device = rows * columns, saliency.device
    down, across = _squares(rows, device) * max(columns - 1, 1) ** 2, _squares(columns, device) * max(rows - 1, 1) ** 2
    dearness = _FINENESS * price / max(rows - 1, 1) ** 2 / max(columns - 1, 1) ** 2
    prices, ways = [(way * dearness).round() * count for way in (down, across)], [down * count, across * count]
    number = torch.arange(count, dtype=torch.float64, device=device).view(rows, columns, 1)
    worth = (_batch_last(saliency) * _FINENESS).round() * count - number
    places = _batch_last(shown)
    pieces, held = torch.ones_like(places), number.repeat(1, 1, batch)
    at_work = torch.arange(batch, device=device)
    for _ in range(rows + columns):
        piece = _best(worth + (pieces - 1) * _FAR, *prices)
        nearest = _best((places - 1) * _FAR - number, *ways)
        asked = piece.flatten(0, 1).long()
        agreed = places * (nearest.flatten(0, 1).gather(0, asked).view_as(piece) == number)
        held = held.index_add(2, at_work, agreed * (piece - number))
        places = places - agreed
        pieces = pieces.flatten(0, 1).scatter_add(0, asked, -agreed.flatten(0, 1)).view_as(pieces)
        if device.type == "cpu":
            rest = places.flatten(0, 1).any(dim=0).nonzero()[:, 0]
            if not len(rest):
                break
            worth, places, pieces = (state.index_select(2, rest) for state in (worth, places, pieces))
            at_work = at_work[rest]
    return held.permute(2, 0, 1).long()


def _batch_last(values: Tensor) -> Float[Tensor, "rows columns batch"]:
    return values.permute(1, 2, 0).double().contiguous()


def _best(
    values: Float[Tensor, "rows columns batch"],
    down: Float[Tensor, "rows rows"],
    across: Float[Tensor, "columns columns"],
) -> Float[Tensor, "rows columns batch"]:
    """Return where the largest value is, less the ways down and across to there, as each place sees it.

    The best of all is the best row of the best in each row, so each axis is searched by itself. Values and ways are
    whole multiples of the number of places, less the number of the place that a value is at: so of equal ones the
    first is best, as in the official code, and a maximum tells its place (torch's own way to ask for that takes 20
    times as long on a CPU). All are whole numbers that a float64 holds.
    """
    in_row = (values.transpose(0, 1)[:, :, None] - across[:, None, :, None]).amax(dim=0)
    best = (in_row[:, None] - down[:, :, None, None]).amax(dim=0)
    return (-best).remainder(values.shape[0] * values.shape[1])


def _is_moving(saliency: Values, shown: Places, price: float) -> Bool[Tensor, " batch"]:
    """Return the examples in which a hidden piece is worth more to a shown place than the place's own.

    Reads how far a piece can move at most, so it is for the CPU only; there it takes a tenth of the time of a round.
    """
    offer = saliency.masked_fill(shown, -torch.inf).permute(1, 2, 0).contiguous()
    wanted = saliency.masked_fill(~shown, torch.inf).permute(1, 2, 0).contiguous()
    gain = float((offer.amax(dim=(0, 1)) - wanted.amin(dim=(0, 1))).amax())
    for axis in (0, 1):
        last = offer.shape[axis] - 1
        before = offer.clone()
        for far in range(1, last + 1):
            way = price * (far / last) ** 2
            if way >= gain:
                break
            for here, there in ((0, far), (far, 0)):
                arriving = before.narrow(axis, there, last + 1 - far) - way
                target = offer.narrow(axis, here, last + 1 - far)
                torch.maximum(target, arriving, out=target)
    return (offer > wanted).flatten(0, 1).any(dim=0)


def _squares(count: int, device: torch.device) -> Float[Tensor, "count count"]:
    at = torch.arange(count, dtype=torch.float64, device=device)
    return (at[:, None] - at).square()


def _pixels(pieces: Pieces, side: tuple[int, int], size: torch.Size) -> Int[Tensor, "batch h w"]:
    """Return the number of the pixel that each pixel shows; beyond the image's edge stands its last row or column."""
    columns = pieces.shape[2]
    y, x = (torch.arange(length, device=pieces.device) for length in size)
    piece = pieces[:, y // side[0]][:, :, x // side[1]]
    from_y = (piece // columns * side[0] + (y % side[0])[:, None]).clamp(max=size[0] - 1)
    from_x = (piece % columns * side[1] + x % side[1]).clamp(max=size[1] - 1)
    return from_y * size[1] + from_x
