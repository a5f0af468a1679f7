"""The solver of PuzzleMix's masks finds the lowest energy, or as good as."""

from __future__ import annotations

import itertools

import pytest
import torch

from tuner.mixing.tree_reweighted import GridEnergy, lowest_energy


def random_energy(labels: int, rows: int, columns: int, batch: int, smoothness: float = 0.3) -> GridEnergy:
    """Return energies as PuzzleMix has them: linear in the grade, but for a convex prior, with weights above 0."""
    rng = torch.Generator().manual_seed(labels + rows + 10 * columns)
    grades = torch.linspace(0, 1, labels)
    slopes = torch.randn(rows, columns, batch, generator=rng)
    prior = torch.rand(batch, generator=rng) * (grades[:, None] - torch.rand(batch, generator=rng)).square()
    down, across = (
        smoothness * torch.rand(shape, generator=rng)
        for shape in ((rows - 1, columns, batch), (rows, columns - 1, batch))
    )
    return GridEnergy(grades[:, None, None, None] * slopes + prior[:, None, None], down, across)


def lowest_of_all(energy: GridEnergy) -> torch.Tensor:
    labels, rows, columns, batch = energy.unary.shape
    every = itertools.product(torch.linspace(0, 1, labels).tolist(), repeat=rows * columns)
    costs = [energy.of(torch.tensor(grades).view(rows, columns, 1).expand(-1, -1, batch)) for grades in every]
    return torch.stack(costs).amin(dim=0)


@pytest.mark.parametrize("smoothness", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("labels", "rows", "columns"), [(2, 2, 2), (3, 2, 2), (4, 2, 2), (3, 2, 3), (2, 3, 4), (3, 1, 5)]
)
def test_energy_is_the_lowest_of_all_labels_on_small_grids(labels, rows, columns, smoothness):
    energy = random_energy(labels, rows, columns, batch=40, smoothness=smoothness)
    # Costs without any structure, as strong as the edges, are harder than images: these need some more sweeps.
    torch.testing.assert_close(energy.of(lowest_energy(energy, sweeps=20)), lowest_of_all(energy), rtol=0, atol=1e-5)


def test_energy_counts_blocks_and_edges():
    unary = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[10.0, 20.0], [30.0, 40.0]]])[..., None]
    energy = GridEnergy(unary, down=torch.tensor([[[0.1], [0.2]]]), across=torch.tensor([[[0.5]], [[0.7]]]))
    grades = torch.tensor([[0.0, 1.0], [0.0, 0.0]])[..., None]
    assert energy.of(grades).item() == pytest.approx(1 + 20 + 3 + 4 + 0.2 + 0.5)
    assert energy.transposed().of(grades.transpose(0, 1)).item() == pytest.approx(energy.of(grades).item())


def test_without_edges_every_block_takes_its_cheapest_label():
    energy = random_energy(3, 6, 5, batch=7, smoothness=0)
    assert torch.equal(lowest_energy(energy), energy.unary.argmin(dim=0) / 2)


def test_heavy_edges_make_all_blocks_alike():
    energy = random_energy(3, 6, 5, batch=50, smoothness=0)
    heavy = GridEnergy(energy.unary, energy.down + 100, energy.across + 100)
    expected = energy.unary.sum(dim=(1, 2)).argmin(dim=0) / 2
    torch.testing.assert_close(lowest_energy(heavy), expected.expand(6, 5, -1))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 6), (6, 1), (7, 14), (16, 16)])
def test_no_labels_nearby_are_better(rows, columns):
    energy = random_energy(3, rows, columns, batch=5)
    found = lowest_energy(energy)
    lowest = energy.of(found)
    assert (lowest <= energy.of(energy.unary.argmin(dim=0) / 2) + 1e-5).all()
    for row, column, grade in itertools.product(range(rows), range(columns), (0.0, 0.5, 1.0)):
        other = found.clone()
        other[row, column] = grade
        assert (lowest <= energy.of(other) + 1e-5).all()


def test_an_example_is_solved_as_it_would_be_alone():
    energy = random_energy(3, 8, 8, batch=6)
    together = lowest_energy(energy)
    for at in range(6):
        one = slice(at, at + 1)
        alone = GridEnergy(energy.unary[..., one], energy.down[..., one], energy.across[..., one])
        assert torch.equal(lowest_energy(alone), together[..., one])


def test_grids_without_any_content_have_labels():
    flat = GridEnergy(torch.zeros(3, 8, 8, 2), torch.full((7, 8, 2), 0.1), torch.full((8, 7, 2), 0.1))
    assert torch.equal(flat.of(lowest_energy(flat)), torch.zeros(2))


@pytest.mark.heavy
@pytest.mark.parametrize("blocks", [2, 4, 8, 16])
def test_energy_is_that_of_the_official_graph_cut_on_real_saliency(blocks, record_property, fashion_mnist_installed):
    if not fashion_mnist_installed:
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    from tests.mixing.oracle_cases import compared, real_energy

    energy = real_energy(blocks, count=512, steps=600)
    figures = compared(energy)
    for name, value in figures.items():
        record_property(name, value)
    assert figures["mean_excess"] <= 1e-4
    assert figures["share_worse_by_0.1%"] <= 0.01
    if blocks == 2:
        torch.testing.assert_close(energy.of(lowest_energy(energy)), lowest_of_all(energy), rtol=1e-5, atol=0)
