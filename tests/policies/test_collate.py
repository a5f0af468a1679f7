"""A DataLoader's batches come mixed, or it is said why they cannot."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from tests.policies.examples import CLASSES, batch, loaded


def test_batches_are_what_the_policy_makes_of_them():
    images, labels = batch(12)
    policy = loaded("cutmix", seed=1)
    found = list(DataLoader(TensorDataset(images, labels), batch_size=6, collate_fn=policy.collate_fn()))
    again = loaded("cutmix", seed=1)
    for (mixed, targets), start in zip(found, (0, 6), strict=True):
        expected = again(images[start : start + 6], labels[start : start + 6])
        assert torch.equal(mixed, expected[0])
        assert torch.equal(targets, expected[1])


def test_ones_own_collate_fn_goes_before():
    examples = [{"pixels": torch.full((1, 2, 2), float(i)), "kind": i} for i in range(CLASSES)]

    def collate(found):
        return torch.stack([one["pixels"] for one in found]), torch.tensor([one["kind"] for one in found])

    mixed, targets = loaded("mixup").collate_fn(collate)(examples)
    # Pixels are labels, so that a mixed pixel is the mean of the labels by the target's shares.
    torch.testing.assert_close(mixed[:, 0, 0, 0], targets @ torch.arange(5.0))


@pytest.mark.parametrize(
    ("mixing", "words"),
    [
        ({"name": "mixup", "depths": [0, 1]}, r"depths \[1\], which are hidden layers; use policy.attach"),
        ("puzzlemix", "puzzlemix's saliency gradient; use policy.attach"),
        ({"name": "switch", "policies": ["mixup", "snapmix"]}, "snapmix's saliency class_activation"),
    ],
)
def test_what_needs_the_model_is_refused_at_once(mixing, words):
    with pytest.raises(ValueError, match=f"a DataLoader has no model, and this policy needs one for {words}"):
        loaded(mixing).collate_fn()


def test_saliency_of_the_image_alone_is_not_refused():
    images, labels = batch()
    mixed, _ = loaded("saliencymix").collate_fn()(list(zip(images, labels, strict=True)))
    assert mixed.shape == images.shape


def test_examples_that_are_no_pairs_are_refused():
    with pytest.raises(ValueError, match="wanted a pair of images and labels from collate_fn, got dict"):
        loaded("mixup").collate_fn()([{"image": torch.zeros(1), "label": 0}])
