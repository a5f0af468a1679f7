"""One forward pass is mixed once, at the stage that was named, and again alike where backward repeats it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tuner.catalog import resolve
from tuner.mixing import METHODS
from tuner.mixing.base import Mixture
from tuner.models import mixing_at, stages, with_stages

Run = Callable[[nn.Module, Tensor], Tensor]

NAMES = ("first", "body.1")


class Network(nn.Module):
    """A user's own network: no sequence of stages, a branch around the body, dropout."""

    def __init__(self, run: Run = lambda module, features: module(features)) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(inplace=True))
        self.body = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh(), nn.Dropout(0.3))
        self.last = nn.Linear(3, 4)
        self.run = run

    def forward(self, images: Tensor) -> Tensor:
        features = self.run(self.first, images)
        features = features + self.run(self.body, features)
        return self.last(features.mean(dim=(2, 3)))


class Twice(nn.Module):
    def __init__(self, run: Run = lambda module, features: module(features)) -> None:
        super().__init__()
        self.shared = nn.Linear(5, 5)
        self.run = run

    def forward(self, features: Tensor) -> Tensor:
        return self.run(self.shared, torch.tanh(self.run(self.shared, features)))


def network(kind: type[nn.Module] = Network, names: tuple[str, ...] = NAMES, **options: Run) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return with_stages(kind(**options), names)


def images(batch: int = 6) -> Tensor:
    return torch.randn(batch, 2, 5, 5, generator=torch.Generator().manual_seed(1))


def blend(features: Tensor, rng: torch.Generator) -> Tensor:
    """Mix by a share and a permutation that are drawn when it is called, as a method's own randomness is."""
    share = torch.rand((), generator=rng)
    return share * features + (1 - share) * features[torch.randperm(len(features), generator=rng)]


def reentrant(module: nn.Module, features: Tensor) -> Tensor:
    # The images ask for no gradient, and this kind of checkpoint gives none to parameters then.
    return checkpoint(module, features.requires_grad_() if features.is_leaf else features, use_reentrant=True)


def not_reentrant(module: nn.Module, features: Tensor) -> Tensor:
    return checkpoint(module, features, use_reentrant=False)


def in_two_floors(module: nn.Module, features: Tensor) -> Tensor:
    return checkpoint(lambda inner: checkpoint(module, inner, use_reentrant=False), features, use_reentrant=False)


CHECKPOINTS = pytest.mark.parametrize("run", [reentrant, not_reentrant, in_two_floors])


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_depth_0_is_the_image_and_depth_k_what_the_kth_stage_returns(rng):
    model, inputs = network().eval(), images()
    start = rng.clone_state()
    with mixing_at(model, 0, blend, rng) as forward:
        assert torch.equal(forward(inputs), model(blend(inputs, start.clone_state())))
    with mixing_at(model, 1, blend, start.clone_state()) as forward:
        logits = forward(inputs)
    features = blend(model.first(inputs), start.clone_state())
    torch.testing.assert_close(logits, model.last((features + model.body(features)).mean(dim=(2, 3))))
    with mixing_at(model, 2, blend, start.clone_state()) as forward:
        logits = forward(inputs)
    features = model.first(inputs)
    inner = model.body[2](blend(model.body[:2](features), start))
    torch.testing.assert_close(logits, model.last((features + inner).mean(dim=(2, 3))))


@pytest.mark.parametrize("name", ["mixup", "cutmix", "fmix", "smoothmix"])
def test_identity_stage_equals_mixing_the_images(name, rng):
    policy = METHODS.build(resolve(METHODS, name))
    drawn = policy.draw(6, rng)
    inputs, start = images(), rng.clone_state()
    model = with_stages(nn.Sequential(nn.Identity(), nn.Identity(), nn.Flatten()), ["0", "1"])
    found = []
    for depth in (0, 1, 2):
        with mixing_at(
            model, depth, lambda features, rng: drawn.apply(features, rng)[0], start.clone_state()
        ) as forward:
            found.append(forward(inputs))
    assert torch.equal(found[0], drawn.apply(inputs, start)[0].flatten(1))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@CHECKPOINTS
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_gradients_under_checkpointing_are_those_without(run, depth, rng):
    gradients = []
    for model in (network(), network(run=run)):
        stream = rng.clone_state()
        torch.manual_seed(3)  # of dropout, which checkpointing repeats by itself
        with mixing_at(model, depth, blend, stream) as forward:
            forward(images()).square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.equal(plain, repeated) for plain, repeated in zip(*gradients, strict=True))


@pytest.mark.parametrize("name", ["mixup", "cutmix", "gridmix"])
@CHECKPOINTS
def test_method_draws_the_same_in_the_repeat_and_targets_are_those_of_the_first_pass(name, run, rng):
    policy = METHODS.build(resolve(METHODS, name))
    drawn = policy.draw(6, rng)
    applied: list[Mixture] = []

    def mix(features: Tensor, rng: torch.Generator) -> Tensor:
        mixed, really = drawn.apply(features, rng)
        applied.append(really)
        return mixed

    stream = rng.clone_state()
    with mixing_at(network(run=run), 2, mix, stream) as forward:  # before dropout, which has to be repeated
        loss = forward(images()).square().sum()
        after = stream.get_state()
        loss.backward()
    assert len(applied) > 1
    assert all(torch.equal(repeat.ratios, applied[0].ratios) for repeat in applied)
    assert torch.equal(stream.get_state(), after)  # the next batch draws what it would without checkpointing


def test_module_called_twice_is_mixed_the_first_time_alone(rng):
    model, inputs = network(Twice, ("shared",)), torch.randn(4, 5, generator=rng)
    with mixing_at(model, 1, lambda features, rng: features.flip(0), rng) as forward:
        logits = forward(inputs)
        logits.sum().backward()
    torch.testing.assert_close(logits, model(inputs.flip(0)))


@CHECKPOINTS
def test_module_called_twice_and_checkpointed_is_refused_instead_of_mixed_wrongly(run, rng):
    model = network(Twice, ("shared",), run=run)
    with mixing_at(model, 1, blend, rng) as forward:
        loss = forward(torch.randn(4, 5, generator=rng)).sum()
        with pytest.raises(
            ValueError, match=r"stage shared is called 2 times in a step and again .* name another stage"
        ):
            loss.backward()
    assert hooks(model) == 0


def test_nothing_stays_on_the_model_and_evaluation_is_unmixed(rng):
    model, inputs = network().eval(), images()
    expected = model(inputs)
    for depth in (0, 1, 2):
        with mixing_at(model, depth, blend, rng) as forward:
            assert not torch.equal(forward(inputs), expected)
        assert hooks(model) == 0
        assert torch.equal(model(inputs), expected)


def test_nothing_stays_on_the_model_after_an_exception(rng):
    model = network()
    for depth in (0, 1):

        def broken(features: Tensor, rng: torch.Generator) -> Tensor:
            raise ArithmeticError

        with pytest.raises(ArithmeticError), mixing_at(model, depth, broken, rng) as forward:
            forward(images())
        with pytest.raises(KeyError), mixing_at(model, depth, blend, rng) as forward:
            {}[forward(images())]
        assert hooks(model) == 0


def test_stages_do_not_change_what_a_model_stores():
    model = Network()
    keys = list(model.state_dict())
    assert list(with_stages(model, NAMES).state_dict()) == keys
    assert list(stages(model)) == list(NAMES)


def test_sequence_has_its_children_but_the_last_as_stages_and_any_other_module_none():
    assert list(stages(nn.Sequential(nn.Identity(), nn.ReLU(), nn.Flatten()))) == ["0", "1"]
    assert stages(Network()) == {}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("frist",), r"Network has no submodule 'frist'; did you mean first\?; it has first, body, last, and what is"),
        (("body.7",), r"has no submodule 'body.7'; did you mean body"),
        (("",), "has no submodule ''"),
        (("first", "first"), "a stage stands in stages twice: first, first"),
    ],
)
def test_stage_that_is_not_there_is_refused_with_those_that_are(names, words):
    with pytest.raises(ValueError, match=words):
        with_stages(Network(), names)


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.listed = nn.ModuleList([nn.Identity()])
        self.pair = nn.LSTM(5, 5, batch_first=True)
        self.turned = nn.Flatten(0, 1)

    def forward(self, images: Tensor) -> Tensor:
        features, _ = self.pair(images[:, 0])
        return self.turned(self.listed[0](features))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("listed", "stage listed is not called when the network runs: name modules that it calls itself"),
        ("pair", "stage pair returns a tuple, and mixing needs one tensor"),
        ("turned", r"stage turned returns the shape \[30, 5\] for 6 images; mixing needs an example a row"),
    ],
)
def test_stage_that_cannot_be_mixed_at_is_refused(name, words, rng):
    model = with_stages(Odd(), [name])
    with pytest.raises(ValueError, match=words), mixing_at(model, 1, blend, rng) as forward:
        forward(images())
    assert hooks(model) == 0


def test_depth_that_the_model_lacks_is_refused(rng):
    with pytest.raises(ValueError, match="wanted depth 0 to 2, got 3"), mixing_at(network(), 3, blend, rng):
        pass


def test_second_forward_pass_is_refused(rng):
    with mixing_at(network(), 1, blend, rng) as forward:
        forward(images())
        with pytest.raises(ValueError, match="one forward pass"):
            forward(images())


@pytest.mark.parametrize("is_evaluated_first", [False, True])
def test_compiled_network_is_mixed_as_it_was_written(is_evaluated_first, rng):
    plain, inputs = network().eval(), images()
    compiled = torch.compile(Network().eval(), backend="eager")
    compiled.load_state_dict({f"_orig_mod.{name}": value for name, value in plain.state_dict().items()})
    with_stages(compiled, NAMES)
    if is_evaluated_first:
        compiled(inputs)
    for _ in range(2):
        start = rng.clone_state()
        with mixing_at(compiled, 1, blend, rng) as forward, mixing_at(plain, 1, blend, start) as expected:
            torch.testing.assert_close(forward(inputs), expected(inputs))
        torch.testing.assert_close(compiled(inputs), plain(inputs))
