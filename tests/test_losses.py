"""The loss of a mixed target, against the mixed loss and torch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from tuner.catalog import resolve
from tuner.losses import LOSSES, Loss, soft_cross_entropy
from tuner.mixing import Mixture


def built(name: str, **parameters: Any) -> Loss:
    return LOSSES.build(resolve(LOSSES, {"name": name, **parameters}))


def test_two_classes_worked_by_hand():
    logits = torch.log(torch.tensor([[0.25, 0.75], [0.5, 0.5]]))
    loss = soft_cross_entropy(logits, torch.tensor([[1.0, 0.0], [0.5, 0.5]]))
    # -ln 0.25 = 1.3863 and -ln 0.5 = 0.6931
    assert float(loss) == pytest.approx((1.3863 + 0.6931) / 2, abs=1e-4)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_loss_of_the_mixed_target_is_the_mixed_loss(count, label_smoothing, rng):
    logits, labels = torch.randn(8, 6, generator=rng), torch.randint(6, (8,), generator=rng)
    mixture = Mixture(torch.randint(8, (8, count), generator=rng), torch.rand(8, count, generator=rng))
    ours = soft_cross_entropy(logits, mixture.targets(labels, 6), label_smoothing)
    losses = torch.stack(
        [
            cross_entropy(logits, labels[mixture.sources[:, k]], reduction="none", label_smoothing=label_smoothing)
            for k in range(count)
        ],
        dim=1,
    )
    torch.testing.assert_close(ours, (mixture.ratios * losses).sum(dim=1).mean())


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.9])
def test_label_smoothing_is_torchs_where_shares_sum_to_1(label_smoothing, rng):
    logits, targets = torch.randn(8, 6, generator=rng), torch.rand(8, 6, generator=rng).softmax(dim=1)
    ours = built("cross_entropy", label_smoothing=label_smoothing)
    torch.testing.assert_close(ours(logits, targets), cross_entropy(logits, targets, label_smoothing=label_smoothing))


def test_smoothing_keeps_the_mass_of_rows_that_sum_to_less_than_1(rng):
    logits, targets = torch.randn(8, 6, generator=rng), one_hot(torch.arange(8) % 6, 6).float()
    whole, part = (soft_cross_entropy(logits, mass * targets, 0.2) for mass in (1.0, 0.4))
    torch.testing.assert_close(part, 0.4 * whole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_huge_logits_give_a_finite_loss_and_gradient(dtype):
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]], dtype=dtype, requires_grad=True)
    loss = soft_cross_entropy(logits, torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(1e4, rel=0.01)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_half_precision_logits_are_summed_in_full():
    logits = torch.randn(64, 10, generator=torch.Generator().manual_seed(0)).bfloat16()
    targets = one_hot(torch.arange(64) % 10, 10).float()
    assert soft_cross_entropy(logits, targets).dtype == torch.float32
    assert torch.equal(soft_cross_entropy(logits, targets), soft_cross_entropy(logits.float(), targets))


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_is_fetched_from_the_device(name):
    logits, targets = torch.randn(4, 3, device="meta", requires_grad=True), torch.rand(4, 3, device="meta")
    loss = built(name)(logits, targets)
    loss.backward()
    assert (loss.device.type, loss.shape, loss.dtype) == ("meta", (), torch.float32)
