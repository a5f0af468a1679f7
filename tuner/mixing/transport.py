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
    by leaving what they have for each other: that is where the official auction ends, if it has rounds enough; its
    rounds are more, and what they leave unsettled is black. Here an unsettled place keeps its own piece, which
    nobody else can have before. The CPU stops when all are settled; a device that the host would have to wait for
    gets as many rounds as the grid has rows and columns, more than images were seen to need.

    Source: Kim, Choo and Song, Puzzle Mix (arXiv 2009.06962), section 3.4 and algorithm 2.
    """
    batch, rows, columns = saliency.shape
    number = torch.arange(rows * columns, device=saliency.device)
    held = number.repeat(batch, 1)
    places, pieces = shown, torch.ones_like(shown)
    ways = _squares(rows, saliency) * max(columns - 1, 1) ** 2, _squares(columns, saliency) * max(rows - 1, 1) ** 2
    prices = [way * (price / max(rows - 1, 1) ** 2 / max(columns - 1, 1) ** 2) for way in ways]
    nowhere = torch.zeros_like(saliency)
    for _ in range(rows + columns):
        piece = _best(saliency.masked_fill(~pieces, -torch.inf), *prices).flatten(1)
        nearest = _best(nowhere.masked_fill(~places, -torch.inf), *ways).flatten(1)
        agreed = places.flatten(1) & (nearest.gather(1, piece) == number)
        held = torch.where(agreed, piece, held)
        places = places & ~agreed.view_as(places)
        taken = torch.zeros_like(piece).scatter_add(1, piece, agreed.long())
        pieces = pieces & (taken == 0).view_as(pieces)
        if places.device.type == "cpu" and not places.any():
            break
    return held.view_as(shown)


def _best(values: Values, down: Float[Tensor, "rows rows"], across: Float[Tensor, "columns columns"]) -> Pieces:
    """Return where the largest value is, less the ways down and across to there, as each place sees it.

    The best of all is the best row of the best in each row, so each axis is searched by itself. Of several, the first
    is taken, as the official code does; whole numbers as ways keep equal ones equal.
    """
    value, column = (values[:, :, None] - across).max(dim=3)
    _, row = (value.transpose(1, 2)[:, :, None] - down).max(dim=3)
    row = row.transpose(1, 2)
    return row * values.shape[2] + column.gather(1, row)


def _is_moving(saliency: Values, shown: Places, price: float) -> Bool[Tensor, " batch"]:
    """Return the examples in which a hidden piece is worth more to a shown place than the place's own.

    Reads how far a piece can move at most, so it is for the CPU only; there it takes a tenth of the time of `_best`.
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


def _squares(count: int, like: Tensor) -> Float[Tensor, "count count"]:
    at = torch.arange(count, device=like.device, dtype=like.dtype)
    return (at[:, None] - at).square()


def _pixels(pieces: Pieces, side: tuple[int, int], size: torch.Size) -> Int[Tensor, "batch h w"]:
    """Return the number of the pixel that each pixel shows; beyond the image's edge stands its last row or column."""
    columns = pieces.shape[2]
    y, x = (torch.arange(length, device=pieces.device) for length in size)
    piece = pieces[:, y // side[0]][:, :, x // side[1]]
    from_y = (piece // columns * side[0] + (y % side[0])[:, None]).clamp(max=size[0] - 1)
    from_x = (piece % columns * side[1] + x % side[1]).clamp(max=size[1] - 1)
    return from_y * size[1] + from_x
