"""The bi-tempered loss, against the paper's formula with a root search of its own, and against its claims."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor
from torch.nn.functional import one_hot

from tuner.catalog import resolve
from tuner.losses import LOSSES, Loss, bi_tempered_logistic, log_tempered_softmax

TEMPERATURES = [(1.0, 1.0), (0.8, 1.2), (0.2, 1.0), (1.0, 4.0), (0.2, 4.0), (0.0, 2.0), (0.5, 1.0001), (0.999, 10.0)]


def built(name: str, **parameters: Any) -> Loss:
    return LOSSES.build(resolve(LOSSES, {"name": name, **parameters}))


def with_gradient(loss: Loss, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.detach().requires_grad_()
    value = loss(logits, targets)
    (gradient,) = torch.autograd.grad(value, logits)
    return value.detach(), gradient


def random_targets(rows: int, classes: int, rng: torch.Generator) -> Tensor:
    """Rows that sum to 1: the first half single classes, the others mixed ones."""
    mixed = torch.rand(rows, classes, generator=rng, dtype=torch.float64) ** 4
    mixed /= mixed.sum(dim=1, keepdim=True)
    single = one_hot(torch.randint(classes, (rows,), generator=rng), classes).double()
    return torch.where(torch.arange(rows)[:, None] < rows // 2, single, mixed)


def reference_probabilities(logits: np.ndarray, t2: float) -> np.ndarray:
    """The tempered softmax of one row: a bracketing root search for its normaliser, in float64."""
    if t2 == 1:
        return np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()

    def probabilities(normaliser: float) -> np.ndarray:
        return (1 + (t2 - 1) * (normaliser - logits)) ** (-1 / (t2 - 1))

    largest = logits.max()
    # With all K logits at the largest, each probability is 1 / K: no normaliser is farther away.
    farthest = largest + (len(logits) ** (t2 - 1) - 1) / (t2 - 1)
    return probabilities(brentq(lambda x: probabilities(x).sum() - 1, largest, farthest * (1 + 1e-9), xtol=1e-12))


def reference_loss(logits: np.ndarray, target: np.ndarray, t1: float, t2: float) -> float:
    """The paper's loss of one row, equation 8, term by term."""

    def log_t(x: np.ndarray) -> np.ndarray:
        return np.log(x) if t1 == 1 else (x ** (1 - t1) - 1) / (1 - t1)

    p = reference_probabilities(logits, t2)
    own = np.where(target > 0, target * log_t(np.where(target > 0, target, 1)), 0)
    return float((own - target * log_t(p) - (target ** (2 - t1) - p ** (2 - t1)) / (2 - t1)).sum())


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_bi_tempered_at_1_and_1_is_cross_entropy(label_smoothing, rng):
    logits, targets = 3 * torch.randn(40, 6, generator=rng), random_targets(40, 6, rng).float()
    ours = with_gradient(built("bi_tempered", t1=1.0, t2=1.0, label_smoothing=label_smoothing), logits, targets)
    theirs = with_gradient(built("cross_entropy", label_smoothing=label_smoothing), logits, targets)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_bi_tempered_nears_cross_entropy_as_its_temperatures_near_1(rng):
    logits, targets = torch.randn(40, 6, generator=rng).double(), random_targets(40, 6, rng)
    exact = bi_tempered_logistic(logits, targets, 1.0, 1.0)
    for distance in (1e-2, 1e-4, 1e-6):
        near = bi_tempered_logistic(logits, targets, 1 - distance, 1 + distance)
        assert abs(float(near - exact)) < 10 * distance


def test_two_classes_at_temperatures_0_and_2_worked_by_hand():
    # With t2 = 2, p = 1 / (1 + normaliser - logit). Logits 0 and -1.5 with normaliser 0.5 give 1/1.5 and 1/3: sum 1.
    # With t1 = 0, log_t(p) = p - 1, so that class 0 costs 1/3 - (1 - 4/9 - 1/9) / 2 = 1/9, class 1 costs 2/3 - 2/9.
    logits = torch.tensor([[0.0, -1.5]])
    torch.testing.assert_close(log_tempered_softmax(logits, 2.0, 5).exp(), torch.tensor([[2 / 3, 1 / 3]]))
    loss = built("bi_tempered", t1=0.0, t2=2.0)
    assert float(loss(logits, torch.tensor([[1.0, 0.0]]))) == pytest.approx(1 / 9, abs=1e-6)
    assert float(loss(logits, torch.tensor([[0.0, 1.0]]))) == pytest.approx(4 / 9, abs=1e-6)


@pytest.mark.parametrize(("t1", "t2"), TEMPERATURES)
@pytest.mark.parametrize("classes", [2, 10, 100])
def test_bi_tempered_is_the_papers_up_to_a_term_of_the_target_alone(classes, t1, t2, rng):
    logits, targets = 3 * torch.randn(20, classes, generator=rng).double(), random_targets(20, classes, rng)
    logits = torch.cat([logits, torch.zeros_like(logits)])  # as a network begins: no class is ahead of another
    targets = torch.cat([targets, targets])
    paper = np.array([reference_loss(*row, t1, t2) for row in zip(logits.numpy(), targets.numpy(), strict=True)])
    ours = np.array(
        [float(bi_tempered_logistic(*row, t1, t2, 10)) for row in zip(logits.split(1), targets.split(1), strict=True)]
    )
    difference = (ours - paper).reshape(2, -1)
    np.testing.assert_allclose(difference[0], difference[1], atol=1e-8)  # other logits, same target
    np.testing.assert_allclose(difference[:, :10], 0, atol=1e-8)  # none for a single class


@pytest.mark.parametrize("t2", [1.0001, 1.2, 2.0, 4.0, 10.0])
@pytest.mark.parametrize("classes", [2, 10, 100, 1000])
def test_default_steps_make_probabilities_sum_to_1(classes, t2, rng):
    spread = torch.logspace(-2, 4, 60)[:, None]
    few_ahead = torch.rand(60, classes, generator=rng) ** 4
    ramp = torch.linspace(-1, 1, classes)
    logits = torch.cat([spread * shape for shape in (torch.randn(60, classes, generator=rng), few_ahead, ramp)])
    (steps,) = (item.default for item in LOSSES["bi_tempered"].parameters if item.name == "steps")
    total = log_tempered_softmax(logits, t2, steps).exp().sum(dim=1)
    torch.testing.assert_close(total, torch.ones(len(logits)), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("t1", "t2"), TEMPERATURES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_bi_tempered_is_finite_at_huge_logits(dtype, t1, t2):
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [1e4, 1e4, 1e4], [0.0, 0.0, 1e-4]], dtype=dtype)
    for single in range(3):
        targets = one_hot(torch.full((4,), single), 3).float()
        value, gradient = with_gradient(built("bi_tempered", t1=t1, t2=t2), logits, targets)
        assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(("t1", "t2"), TEMPERATURES)
@pytest.mark.parametrize("classes", [2, 5])
def test_gradient_of_bi_tempered_is_that_of_its_values(classes, t1, t2, rng):
    logits = torch.randn(4, classes, generator=rng, dtype=torch.float64, requires_grad=True)
    targets = random_targets(4, classes, rng)
    assert torch.autograd.gradcheck(lambda x: bi_tempered_logistic(x, targets, t1, t2, 10), (logits,))


@pytest.mark.parametrize("t1", [0.0, 0.2, 0.8])
def test_an_outlier_costs_at_most_1_by_1_minus_t1(t1):
    wrong = torch.tensor([[0.0, 1.0]])
    losses = [float(built("bi_tempered", t1=t1, t2=1.0)(torch.tensor([[x, 0.0]]), wrong)) for x in (1.0, 10.0, 1e3)]
    assert losses == sorted(losses)
    assert losses[-1] == pytest.approx(1 / (1 - t1), rel=1e-5)
    assert float(built("cross_entropy")(torch.tensor([[1e3, 0.0]]), wrong)) == pytest.approx(1e3)


@pytest.mark.parametrize("t2", [1.5, 2.0, 4.0])
def test_tail_of_the_tempered_softmax_is_a_power_of_the_gap(t2):
    near, far = (float(log_tempered_softmax(torch.tensor([[0.0, -gap]]), t2, 5)[0, 1]) for gap in (1e3, 1e4))
    assert (near - far) / math.log(10) == pytest.approx(1 / (t2 - 1), rel=0.02)


@pytest.mark.parametrize(("t1", "t2"), TEMPERATURES)
def test_bi_tempered_of_the_mixed_target_is_the_mixed_one(t1, t2, rng):
    logits, first, second = torch.randn(6, 5, generator=rng), *one_hot(torch.tensor([[1] * 6, [3] * 6]), 5).float()
    ratio = torch.rand(6, 1, generator=rng)
    loss = built("bi_tempered", t1=t1, t2=t2)
    for row in range(6):
        whole, parts = logits[row : row + 1], [first[row : row + 1], second[row : row + 1]]
        share = ratio[row]
        separate = share * loss(whole, parts[0]) + (1 - share) * loss(whole, parts[1])
        torch.testing.assert_close(loss(whole, share * parts[0] + (1 - share) * parts[1]), separate[0])


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_targets_that_do_not_sum_to_1_are_normalised_or_weigh_what_they_sum_to(label_smoothing, rng):
    logits, targets, factor = (
        torch.randn(8, 5, generator=rng),
        random_targets(8, 5, rng).float(),
        torch.rand(8, generator=rng),
    )
    normalise, weight = (
        built("bi_tempered", mass=mass, label_smoothing=label_smoothing) for mass in ("normalise", "weight")
    )
    each = torch.stack([normalise(logits[i : i + 1], targets[i : i + 1]) for i in range(8)])
    scaled = factor[:, None] * targets
    torch.testing.assert_close(normalise(logits, scaled), each.mean())
    torch.testing.assert_close(weight(logits, scaled), (factor * each).mean())


@pytest.mark.parametrize("mass", ["normalise", "weight"])
def test_row_of_no_mass_costs_nothing(mass, rng):
    logits, targets = torch.randn(2, 5, generator=rng), one_hot(torch.tensor([1, 1]), 5).float()
    targets[1] = 0
    loss = built("bi_tempered", mass=mass)
    value, gradient = with_gradient(loss, logits, targets)
    torch.testing.assert_close(value, loss(logits[:1], targets[:1]) / 2)
    assert torch.equal(gradient[1], torch.zeros(5))
    assert torch.isfinite(gradient).all()
