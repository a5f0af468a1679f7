"""A loaded policy mixes as its trial did, and says what it was not given."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

from tests.mixing.cases import Case, guided, one_case_a_setting
from tests.policies.examples import BETA, CLASSES, batch, loaded, sequence
from tuner.catalog import resolve
from tuner.losses import LOSSES
from tuner.mixing import METHODS, guide
from tuner.policies.checks import COMPARES_IMAGES

ON_IMAGES = [
    case
    for case in one_case_a_setting()
    if case.method != "patchup" and METHODS[case.method].facts.guided_by is None  # tests/policies/test_tables.py
]


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("case", ON_IMAGES, ids=str)
def test_it_mixes_bit_for_bit_as_the_trials_own_policy(case: Case):
    images, labels = batch()
    block = {"name": case.method, **({case.switched[0]: case.switched[1]} if case.switched else {})}
    block |= {"length": 3} if case.method == "cutout" else {}
    model = sequence()
    policy, rng = loaded(block, std=0.5), seeded()
    mixed, targets = policy(images, labels, model=model, rng=rng)

    own, rng = METHODS.build(resolve(METHODS, block)), seeded()
    drawn = own.draw(len(labels), rng)
    if drawn is None:
        assert mixed is images
        assert torch.equal(targets, torch.eye(CLASSES)[labels])
        return
    leading = own.saliency and guide(own.saliency, model, images, labels, torch.full((1, 1, 1), 2.0))
    expected, mixture = drawn.apply(images, rng, leading)
    assert torch.equal(mixed, expected)
    assert torch.equal(targets, mixture.targets(labels, CLASSES))


def test_only_some_batches_are_mixed_and_the_others_come_back_as_they_are():
    images, labels = batch()
    policy = loaded({"name": "mixup", "probability": 0.3}, seed=0)
    outcomes = [policy(images, labels) for _ in range(400)]
    unmixed = [targets for mixed, targets in outcomes if torch.equal(mixed, images)]
    assert 240 < len(unmixed) < 320
    assert all(torch.equal(targets, torch.eye(CLASSES)[labels]) for targets in unmixed)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("loss", ["cross_entropy", "bi_tempered"])
@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_its_loss_of_its_targets_is_the_trials(smoothing, loss, scale):
    images, labels = batch()
    logits = 3 * torch.randn(len(labels), CLASSES, generator=seeded())
    block = {"name": loss, "label_smoothing": smoothing}
    mixing = {"name": "mixup", "ratio": {**BETA, "scale": scale}}
    policy = loaded(mixing, loss=block)
    _, targets = policy(images, labels, rng=seeded())
    _, unsmoothed = loaded(mixing)(images, labels, rng=seeded())
    wanted = LOSSES.build(resolve(LOSSES, block))(logits, unsmoothed)
    torch.testing.assert_close(policy.loss(logits, targets), wanted)
    if loss == "cross_entropy":
        torch.testing.assert_close(nn.functional.cross_entropy(logits, targets), wanted)


def test_the_last_epochs_are_left_unmixed():
    images, labels = batch()
    policy = loaded({"name": "mixup", "off_epochs": 2}, epochs=5)
    mixed = []
    for epoch in range(5):
        policy.epoch = epoch
        mixed.append(not torch.equal(policy(images, labels)[0], images))
    assert mixed == [True, True, True, False, False]
    assert torch.equal(policy(images, labels, epochs_left=2)[0], images)
    assert not torch.equal(policy(images, labels, epochs_left=3)[0], images)


def test_rest_within_a_switch_counts_as_well():
    inner = {"name": "switch", "policies": [{"name": "mixup", "off_epochs": 3}, "cutmix"]}
    with pytest.raises(ValueError, match="leaves the last 3 epochs unmixed"):
        loaded(inner)(*batch())


def test_a_copy_draws_afresh_from_the_same_seed():
    images, labels = batch()
    policy = loaded("cutmix", seed=3)
    first = policy(images, labels)[0]
    copy = pickle.loads(pickle.dumps(policy))
    assert copy.file == policy.file
    assert torch.equal(copy(images, labels)[0], first)


@pytest.mark.parametrize("dtype", [torch.int16, torch.uint8, torch.int64])
def test_labels_may_be_any_whole_numbers(dtype):
    images, labels = batch()
    policy = loaded("mixup")
    targets = policy(images, labels.to(dtype), rng=seeded())[1]
    assert torch.equal(targets, policy(images, labels, rng=seeded())[1])


IMAGES, LABELS = batch()


@pytest.mark.parametrize(
    ("mixing", "images", "labels", "words"),
    [
        ("mixup", (255 * IMAGES).byte(), LABELS, "floating point, got torch.uint8; convert and normalise first"),
        ("mixup", IMAGES, LABELS.float(), "whole number for each image as labels, got torch.float32"),
        ("mixup", IMAGES, LABELS[:3], r"shape \[3\] for images of shape \[8, 3, 8, 8\]"),
        ("mixup", IMAGES, torch.eye(8).long(), r"shape \[8, 8\]"),
        ("mixup", IMAGES, LABELS + 1, "labels from 0 to 4, got 1 to 5"),
        ("mixup", IMAGES, LABELS - 1, "labels from 0 to 4, got -1 to 3"),
        ({"name": "mixup", "depths": [0, 2]}, IMAGES, LABELS, r"hidden layers \(depths \[2\]\).*policy.attach"),
        ("snapmix", IMAGES, LABELS, "snapmix's saliency class_activation looks at the model.*policy.attach"),
        ({"name": "switch", "policies": ["puzzlemix", "none"]}, IMAGES, LABELS, "saliency gradient looks at the model"),
        ({"name": "mixup", "off_epochs": 1}, IMAGES, LABELS, r"set policy.epoch.*load_policy\(..., epochs="),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_is_missing_is_said(mixing, images, labels, words):
    for _ in range(3):  # whatever is drawn
        with pytest.raises(ValueError, match=words):
            loaded(mixing)(images, labels)


def test_without_the_number_of_classes_it_asks_for_it():
    with pytest.raises(ValueError, match=r"load_policy\(..., classes=10\)"):
        loaded("mixup", classes=None)(*batch())


@pytest.mark.parametrize("std", [[0.2, 0.3], 0.0, [1.0, -1.0, 1.0]])
def test_a_std_that_cannot_be_is_refused(std):
    with pytest.raises(ValueError, match="one std above 0 for each of 3 channels"):
        loaded("puzzlemix", std=std)(*batch(), model=sequence())


def test_exactly_the_methods_that_compare_images_ask_what_these_were_divided_by():
    images, labels = batch(16)
    for case in one_case_a_setting():
        policy = METHODS.build(resolve(METHODS, {"name": case.method}))
        if policy.saliency is None:
            continue
        one, many = (mixed_on_a_scale(policy, images, factor) for factor in (1.0, 20.0))
        assert torch.equal(one, many) == (case.method not in COMPARES_IMAGES)
        if case.method in COMPARES_IMAGES:
            with pytest.raises(ValueError, match=rf"{case.method} compares images.*load_policy\(..., std="):
                loaded(case.method)(images, labels, model=sequence())
        else:
            loaded(case.method)(images, labels, model=sequence())


def mixed_on_a_scale(policy, images, factor):
    leading = guided(policy, images)
    leading.contrast.mul_(factor)
    rng = seeded()
    return policy.draw(len(images), rng).apply(images, rng, leading)[0]


def test_epochs_count_from_0():
    policy = loaded("mixup")
    assert policy.epoch is None
    with pytest.raises(ValueError, match="got -1"):
        policy.epoch = -1


def test_images_may_have_any_shape_that_the_method_takes():
    mixed, targets = loaded("mixup")(torch.rand(6, 7), torch.arange(6) % CLASSES)
    assert mixed.shape == (6, 7)
    assert torch.allclose(targets.sum(dim=1), torch.ones(6))


@pytest.mark.gpu
@pytest.mark.parametrize("mixing", ["mixup", "cutmix", {"name": "mixup", "depths": [1]}], ids=str)
@pytest.mark.parametrize("labels_on", ["cpu", "cuda"])
def test_everything_follows_the_images_to_their_device_without_a_wait(mixing, labels_on):
    images, labels = batch()
    model = sequence().cuda()
    attached = loaded(mixing).attach(model)
    on_device, labels = images.cuda(), labels.to(labels_on)
    attached(on_device, labels)  # what is done once may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        logits, targets = attached(on_device, labels, rng=seeded())
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert logits.device.type == targets.device.type == "cuda"
    expected, shares = loaded(mixing).attach(sequence())(images, labels.cpu(), rng=seeded())
    torch.testing.assert_close(targets.cpu(), shares)
    torch.testing.assert_close(logits.cpu(), expected, atol=1e-2, rtol=1e-2)
