"""A model mixes in the passes that are asked of it, and in no others."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from tests.policies.examples import BETA, CLASSES, batch, loaded, sequence
from tuner.catalog import resolve
from tuner.mixing import METHODS
from tuner.models import mixing_at

HIDDEN = [
    {"name": "mixup", "depths": [2]},
    {"name": "mixup", "depths": [0, 1, 2], "ratio": {"name": "dirichlet"}},
    {"name": "patchup", "depths": [1, 2]},
    {"name": "switch", "policies": [{"name": "patchup", "mode": "soft"}, "cutmix"]},
]


class Own(nn.Module):
    """A user's network: no sequence; checkpointed where asked."""

    def __init__(self, use_reentrant: bool | None = None) -> None:
        super().__init__()
        self.first, self.second, self.head = sequence().children()
        self.use_reentrant = use_reentrant

    def forward(self, images):
        if self.use_reentrant is None:
            return self.head(self.second(self.first(images)))
        images = images.detach().requires_grad_()  # reentrant checkpointing wants it
        middle = checkpoint(self.first, images, use_reentrant=self.use_reentrant)
        return self.head(checkpoint(self.second, middle, use_reentrant=self.use_reentrant))


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("mixing", HIDDEN, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_it_mixes_where_and_as_the_trials_own_training_does(mixing, seed):
    images, labels = batch()
    logits, targets = loaded(mixing).attach(sequence())(images, labels, rng=seeded(seed))

    rng, model, applied = seeded(seed), sequence(), []
    drawn = METHODS.build(resolve(METHODS, mixing)).draw(len(labels), rng)

    def mix(features, rng):
        mixed, mixture = drawn.apply(features, rng)
        applied.append(mixture)
        return mixed

    with mixing_at(model, drawn.depth, mix, rng) as forward:
        expected = forward(images)
    assert torch.equal(logits, expected)
    assert torch.equal(targets, applied[0].targets(labels, CLASSES))


@pytest.mark.parametrize("mixing", [*HIDDEN, "puzzlemix", "none"], ids=str)
def test_the_models_own_passes_stay_as_they_were(mixing):
    images, labels = batch()
    model, untouched = sequence(), sequence()
    attached = loaded(mixing, std=1.0).attach(model)
    for _ in range(3):
        logits, targets = attached(images, labels)
        cross_entropy(logits, targets).backward()
        untouched.load_state_dict(model.state_dict())  # batch norm counts the passes
        with torch.no_grad():
            assert torch.equal(model(images), untouched(images))
        model.load_state_dict(untouched.state_dict())
    attached.detach()
    assert not any(module._forward_hooks for module in model.modules())


def test_gradients_are_those_of_the_mixed_pass():
    images, labels = batch()
    policy = loaded({"name": "mixup", "depths": [1], "ratio": {"name": "fixed", "shares": [0.3, 0.7], "per": "batch"}})
    model, by_hand = sequence().eval(), sequence().eval()
    logits, targets = policy.attach(model)(images, labels, rng=seeded())
    cross_entropy(logits, targets).backward()

    rng = seeded()
    torch.rand((), generator=rng)  # whether to mix
    partners = torch.randperm(len(labels), generator=rng)
    middle = by_hand[0](images)
    wanted = by_hand[2](by_hand[1](0.3 * middle + 0.7 * middle[partners]))
    loss = 0.3 * cross_entropy(wanted, labels) + 0.7 * cross_entropy(wanted, labels[partners])
    loss.backward()
    for one, other in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_within_a_step_checkpointing_changes_nothing(use_reentrant):
    images, labels = batch()
    gradients = []
    for model in (Own(), Own(use_reentrant)):
        attached = loaded({"name": "patchup", "depths": [1, 2]}).attach(model.eval(), ["first", "second"])
        for seed in range(4):
            with attached.step(images, labels, rng=seeded(seed)) as (logits, targets):
                cross_entropy(logits, targets).backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
        assert not model.first._forward_hooks
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_outside_a_step_checkpointing_a_mixed_stage_is_refused(use_reentrant):
    images, labels = batch()
    model = Own(use_reentrant)
    with loaded({"name": "mixup", "depths": [1]}).attach(model, ["first"]) as attached:
        first, targets = attached(images, labels)
        second, _ = attached(images, labels)
        with pytest.raises(ValueError, match=r"call backward within `with attached.step"):
            (cross_entropy(first, targets) + cross_entropy(second, targets)).backward()
        with attached.step(images, labels) as (logits, targets):
            cross_entropy(logits, targets).backward()
        attached(images, labels)
    assert not model.first._forward_hooks


def test_a_model_without_stages_takes_those_of_the_policy_file_or_says_what_it_has():
    images, labels = batch()
    mixing = {"name": "mixup", "depths": [2], "ratio": BETA}
    with pytest.raises(ValueError, match=r"depths up to 2, and Own has no stages; .* it has first, second, head"):
        loaded(mixing).attach(Own())
    with pytest.raises(ValueError, match="Own has the stages first alone"):
        loaded(mixing).attach(Own(), ["first"])
    with pytest.raises(ValueError, match="Own has no submodule 'frist'; did you mean first"):
        loaded(mixing).attach(Own(), ["frist", "second"])
    of_file = loaded(mixing, stages=["first", "second"]).attach(Own())
    named = loaded(mixing).attach(Own(), ["first", "second"])
    assert torch.equal(*(one(images, labels, rng=seeded())[0] for one in (of_file, named)))


def test_a_model_with_stages_of_its_own_keeps_them():
    attached = loaded({"name": "mixup", "depths": [1]}, stages=["2"]).attach(sequence())
    one = attached(*batch(), rng=seeded())[0]
    other = loaded({"name": "mixup", "depths": [1]}).attach(sequence())(*batch(), rng=seeded())[0]
    assert torch.equal(one, other)


@pytest.mark.parametrize("mixing", ["puzzlemix", {"name": "mixup", "depths": [1]}], ids=str)
def test_under_autocast_logits_are_half_and_targets_full(mixing):
    with torch.autocast("cpu", torch.bfloat16):
        logits, targets = loaded(mixing, std=1.0).attach(sequence())(*batch())
    assert (logits.dtype, targets.dtype) == (torch.bfloat16, torch.float32)


def test_the_last_epochs_are_left_unmixed():
    images, labels = batch()
    model = sequence().eval()
    attached = loaded({"name": "mixup", "depths": [1], "off_epochs": 1}, epochs=2).attach(model)
    attached.policy.epoch = 1
    assert torch.equal(attached(images, labels)[0], model(images))
    assert not torch.equal(attached(images, labels, epochs_left=2)[0], model(images))


def test_an_attached_model_can_be_copied_and_saved(tmp_path):
    images, labels = batch()
    model = sequence().eval()
    attached = loaded({"name": "mixup", "depths": [1]}).attach(model)
    attached(images, labels)
    torch.save(model, tmp_path / "model.pt")
    again = torch.load(tmp_path / "model.pt", weights_only=False)
    for other in (copy.deepcopy(model), again):
        assert torch.equal(other(images), model(images))


@pytest.mark.heavy
def test_a_compiled_model_mixes_its_hidden_layers_as_it_was_written():
    images, labels = batch()
    compiled = torch.compile(sequence().eval())
    policy = loaded({"name": "mixup", "depths": [1], "probability": 0.5}, seed=0)
    own = loaded({"name": "mixup", "depths": [1], "probability": 0.5}, seed=0)
    attached, expected = policy.attach(compiled), own.attach(sequence().eval())
    for _ in range(6):
        torch.testing.assert_close(attached(images, labels)[0], expected(images, labels)[0])
