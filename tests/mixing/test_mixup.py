"""mixup: worked by hand, against a plain loop, and against torchvision's."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms import v2

from tuner.mixing import Mixture
from tuner.mixing.blend import blend
from tuner.mixing.mixup import mixup


def test_two_by_two_worked_by_hand(rng):
    images = torch.tensor([[[[0.0, 4.0], [8.0, 12.0]]], [[[100.0, 100.0], [0.0, -4.0]]]])
    mixture = Mixture(torch.tensor([[0, 1], [1, 0]]), torch.tensor([[0.75, 0.25], [0.5, 0.5]]))
    mixed, really = mixup(images, mixture, rng)
    assert mixed.tolist() == [[[[25.0, 28.0], [6.0, 8.0]]], [[[50.0, 52.0], [4.0, 4.0]]]]
    assert really.targets(torch.tensor([2, 0]), 3).tolist() == [[0.25, 0.0, 0.75], [0.5, 0.0, 0.5]]


@pytest.mark.parametrize("count", [1, 2, 3, 10])
@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 4), (3, 6, 5), (1, 4, 4), (3, 1, 1)], ids=str)
def test_blend_is_the_weighted_sum_of_a_plain_loop(count, shape, rng):
    features = torch.randn(6, *shape, generator=rng)
    sources = torch.randint(6, (6, count), generator=rng)
    ratios = torch.rand(6, count, generator=rng)
    expected = torch.zeros_like(features)
    for row in range(6):
        for k in range(count):
            expected[row] += ratios[row, k] * features[sources[row, k]]
    torch.testing.assert_close(blend(features, Mixture(sources, ratios)), expected)


def test_blend_takes_features_that_are_not_dense(rng):
    features = torch.randn(6, 3, 4, 8, generator=rng)[:, :, :, ::2]
    mixture = Mixture(torch.randint(6, (6, 2), generator=rng), torch.rand(6, 2, generator=rng))
    assert torch.equal(blend(features, mixture), blend(features.contiguous(), mixture))


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_same_partners_and_ratio_give_what_torchvision_gives(ratio, rng):
    images, labels = torch.randn(7, 3, 6, 5, generator=rng), torch.arange(7)
    theirs = v2.MixUp(num_classes=7)
    parameters = {"labels": labels, "batch_size": 7, "lam": ratio}
    # torchvision pairs each example with the one before it.
    own = torch.arange(7)
    mixture = Mixture(torch.stack([own, own.roll(1)], dim=1), torch.tensor([[ratio, 1 - ratio]]).expand(7, 2))
    mixed, really = mixup(images, mixture, rng)
    torch.testing.assert_close(mixed, theirs.transform(images, parameters))
    torch.testing.assert_close(really.targets(labels, 7), theirs.transform(labels, parameters))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_gradient_at_a_hidden_depth_is_that_of_the_plain_formula(memory_format, rng):
    hidden = torch.randn(5, 4, 3, 3, generator=rng).to(memory_format=memory_format)
    mixture = Mixture(torch.randint(5, (5, 3), generator=rng), torch.rand(5, 3, generator=rng))
    weight = torch.randn(5, 4, 3, 3, generator=rng)
    ours, plain = hidden.clone().requires_grad_(), hidden.clone().requires_grad_()
    (blend(ours, mixture) * weight).sum().backward()
    formula = sum(mixture.ratios[:, k, None, None, None] * plain[mixture.sources[:, k]] for k in range(3))
    (formula * weight).sum().backward()
    torch.testing.assert_close(ours.grad, plain.grad)
