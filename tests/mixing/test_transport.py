"""Hidden pieces with content move to places that are shown, as in PuzzleMix's auction, and nothing is lost there."""

from __future__ import annotations

import pytest
import torch

from tuner.mixing.saliency import as_shares
from tuner.mixing.transport import settled, transported

PRICE = 0.8


def random_places(rows: int, columns: int, batch: int, peaked: float = 4.0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(rows + columns)
    saliency = as_shares(torch.rand(batch, rows, columns, generator=rng).pow(peaked))
    return saliency, torch.rand(batch, rows, columns, generator=rng) < 0.5


def distances(rows: int, columns: int) -> torch.Tensor:
    """Return squared distances as shares of the grid's sides; equal ones are equal to the last bit."""
    down, across = max(rows - 1, 1), max(columns - 1, 1)
    y, x = torch.meshgrid(torch.arange(rows) * across, torch.arange(columns) * down, indexing="ij")
    squares = (y.reshape(-1, 1) - y.reshape(1, -1)).square() + (x.reshape(-1, 1) - x.reshape(1, -1)).square()
    return squares / (down * across) ** 2


def cost_of(saliency: torch.Tensor, shown: torch.Tensor, pieces: torch.Tensor) -> torch.Tensor:
    """Return what the shown places have to pay for the ways of their pieces, less the pieces' saliency."""
    pieces = pieces.flatten(1)
    ways = distances(*saliency.shape[1:])[pieces, torch.arange(pieces.shape[1])]
    return ((PRICE * ways - saliency.flatten(1).gather(1, pieces)) * shown.flatten(1)).sum(dim=1)


def cost_of_dense_auction(saliency: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
    """The official law in our words: every piece asks for its cheapest place, the cheapest asker of a place has it,
    each of the others pays 1 more for that place from then on; as many rounds as the grid has rows. A place that
    nobody has stays black: it pays nothing and has nothing."""
    batch, rows, columns = saliency.shape
    count = rows * columns
    start = PRICE * distances(rows, columns) - saliency.view(batch, count, 1) * shown.view(batch, 1, count).float()
    cost = start.clone()
    for _ in range(rows):
        asks = torch.nn.functional.one_hot(cost.argmin(dim=2), count).bool()
        cheapest = torch.where(asks, cost, 0).argmin(dim=1)
        has = asks & torch.nn.functional.one_hot(cheapest, count).bool().transpose(1, 2)
        cost = cost + (asks & ~has).float()
    return (start * has * shown.view(batch, 1, count)).sum(dim=(1, 2))


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (4, 4), (8, 8), (16, 16), (5, 9), (1, 6), (1, 1)])
def test_every_shown_place_has_a_piece_of_its_own(rows, columns):
    saliency, shown = random_places(rows, columns, batch=32)
    for example, places in zip(settled(saliency, shown, PRICE), shown, strict=True):
        assert len(example[places].unique()) == places.sum()


@pytest.mark.parametrize("peaked", [1.0, 4.0, 20.0])
@pytest.mark.parametrize("side", [2, 4, 8, 16])
def test_cost_is_at_most_that_of_the_official_auction(side, peaked):
    saliency, shown = random_places(side, side, batch=32, peaked=peaked)
    cost = cost_of(saliency, shown, settled(saliency, shown, PRICE))
    assert (cost <= cost_of_dense_auction(saliency, shown) + 1e-6).all()


@pytest.mark.parametrize("side", [4, 8])
def test_no_piece_and_place_would_both_gain_by_another_exchange(side):
    saliency, shown = random_places(side, side, batch=16, peaked=10)
    pieces = settled(saliency, shown, PRICE).flatten(1)
    assert (pieces != torch.arange(side * side))[shown.flatten(1)].any()
    worth = saliency.flatten(1)[:, :, None] - PRICE * distances(side, side)  # piece by place
    at_place = worth.gather(1, pieces[:, None]).squeeze(1).masked_fill(~shown.flatten(1), torch.inf)
    of_piece = torch.zeros_like(at_place)  # a piece that stays hidden gains nothing
    of_piece = of_piece.scatter_reduce(1, pieces, at_place.masked_fill(~shown.flatten(1), 0), "amax")
    both_gain = (worth > at_place[:, None] + 1e-6) & (worth > of_piece[:, :, None] + 1e-6)
    assert not both_gain.any()


def test_two_by_two_by_hand():
    saliency = torch.tensor([[[0.05, 0.9], [0.05, 0.0]]])
    shown = torch.tensor([[[True, False], [True, False]]])
    # The piece above right is worth 0.9 - 0.8 * 1 to the place beside it: more than the 0.05 that stand there.
    assert settled(saliency, shown, PRICE).tolist() == [[[1, 1], [2, 3]]]
    assert settled(saliency, shown, price=0.86).tolist() == [[[0, 1], [2, 3]]]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_nothing_moves_where_all_pieces_are_equally_salient(share):
    rng = torch.Generator().manual_seed(0)
    images = torch.randn(8, 3, 16, 16, generator=rng)
    shown = torch.rand(8, 4, 4, generator=rng) < share
    moved = transported(images, torch.full((8, 4, 4), 1 / 16), shown, PRICE, (4, 4))
    assert torch.equal(moved, images)


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 12, 12), (3, 12, 20)])
def test_pixels_move_with_their_pieces(channels, height, width):
    rng = torch.Generator().manual_seed(0)
    saliency, shown = random_places(height // 4, width // 4, batch=16, peaked=10)
    images = torch.randn(16, channels, height, width, generator=rng)
    moved = transported(images, saliency, shown, PRICE, (4, 4))
    assert not torch.equal(moved, images)
    for at, pieces in enumerate(settled(saliency, shown, PRICE)):
        for place, piece in enumerate(pieces.flatten().tolist()):
            assert torch.equal(
                *(_piece(image[at], number, width) for image, number in ((moved, place), (images, piece)))
            )


def test_memory_format_is_kept_and_gradients_follow_the_pieces():
    saliency, shown = random_places(4, 4, batch=8, peaked=10)
    images = torch.randn(8, 3, 16, 16).to(memory_format=torch.channels_last).requires_grad_()
    moved = transported(images, saliency, shown, PRICE, (4, 4))
    assert moved.stride() == images.stride()
    moved.sum().backward()
    shown_often = torch.zeros(8, 16).scatter_add(1, settled(saliency, shown, PRICE).flatten(1), torch.ones(8, 16))
    assert torch.equal(images.grad[:, 0, ::4, ::4].flatten(1), shown_often)


def _piece(image: torch.Tensor, number: int, width: int) -> torch.Tensor:
    row, column = divmod(number, width // 4)
    return image[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
