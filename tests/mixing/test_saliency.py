"""Saliency: what each answer computes, and that asking changes nothing of the network."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from tuner.catalog import resolve
from tuner.mixing import SALIENCIES, guide
from tuner.mixing.saliency import as_shares, centre_surround, class_activation, input_gradient
from tuner.models import MODELS, ImageShape

LABELS = torch.tensor([0, 2, 1, 2])

every_saliency = pytest.mark.parametrize("name", SALIENCIES)
through_the_network = pytest.mark.parametrize("function", [input_gradient, class_activation])


@pytest.fixture
def images(rng) -> Tensor:
    return torch.randn(4, 3, 9, 12, generator=rng)


@pytest.fixture
def network() -> nn.Sequential:
    """Batch norm, dropout, a layer that writes in place, one that is frozen: all that asking could disturb."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        features = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(inplace=True), nn.Dropout(0.5))
        return nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))


def linear(weight: Tensor) -> nn.Sequential:
    layer = nn.Linear(weight[0].numel(), len(weight), bias=False)
    layer.weight.data = weight.flatten(1)
    return nn.Sequential(nn.Flatten(), layer)


def gradient_by_hand(weight: Tensor, images: Tensor) -> Tensor:
    """d cross-entropy / d image = (probabilities - label) x weights, its root mean square over the channels."""
    logits = torch.einsum("kchw,bchw->bk", weight, images)
    error = logits.softmax(dim=1) - torch.eye(len(weight), dtype=weight.dtype)[LABELS]
    return torch.einsum("bk,kchw->bchw", error, weight).square().mean(dim=1).sqrt()


def test_input_gradient_is_that_of_a_linear_network_by_hand(rng, images):
    weight = torch.randn(3, *images.shape[1:], generator=rng) / 10
    found = as_shares(input_gradient(linear(weight), images, LABELS))
    torch.testing.assert_close(found, as_shares(gradient_by_hand(weight, images)))


def test_tiny_gradients_keep_their_shape(rng, images):
    weight = torch.randn(3, *images.shape[1:], generator=rng) * 1e-25
    found = as_shares(input_gradient(linear(weight), images, LABELS))
    expected = gradient_by_hand(weight.double(), images.double())
    torch.testing.assert_close(found, as_shares(expected).float())


def test_a_gradient_of_zero_gives_uniform_shares(images):
    found = guide("gradient", linear(torch.zeros(3, *images.shape[1:])), images, LABELS, torch.ones(1, 1, 1))
    assert torch.equal(found.saliency, torch.full((4, 9, 12), 1 / 108))


def test_class_activation_is_the_classic_map_of_a_linear_classifier(images, network):
    network.eval()
    maps = network[0](images)
    head = network[-1]
    classic = torch.einsum("bchw,bc->bhw", maps, head.weight[LABELS]) + head.bias[LABELS][:, None, None]
    enlarged = interpolate(classic[:, None], (9, 12), mode="bilinear", align_corners=False)[:, 0]
    found = class_activation(network, images, LABELS)
    torch.testing.assert_close(found, (enlarged - enlarged.amin(dim=(1, 2), keepdim=True)).detach())
    assert found.std() > 0.01


@pytest.mark.parametrize("side", [5, 13, 32])
def test_class_activation_of_a_map_of_one_place_is_uniform(side):
    network = nn.Sequential(nn.Conv2d(3, 8, side), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    found = guide("class_activation", network, torch.randn(4, 3, side, side), LABELS, torch.ones(1, 1, 1))
    assert torch.equal(found.saliency, torch.full((4, side, side), 1 / side**2))


@pytest.mark.parametrize("name", ["small_cnn", "preact_resnet18", "wide_resnet"])
def test_models_of_the_table_have_class_activations(name):
    small = {"preact_resnet18": {"width": 4}, "wide_resnet": {"depth": 10, "width": 1}}
    model = MODELS.build(resolve(MODELS, {"name": name, **small.get(name, {})}), ImageShape(1, 28, 28), 3)
    found = guide("class_activation", model, torch.randn(4, 1, 28, 28), LABELS, torch.ones(1, 1, 1))
    assert found.saliency.shape == (4, 28, 28)
    assert found.saliency.std() > 0


@pytest.mark.parametrize("head", [nn.AdaptiveAvgPool2d(2), nn.Identity()])
def test_class_activation_names_what_it_needs(images, head):
    network = nn.Sequential(head, nn.Flatten(), nn.LazyLinear(3))
    network(images)
    with pytest.raises(
        ValueError, match=r"needs a network that ends in the module AdaptiveAvgPool2d\(1\), .*; set saliency to grad"
    ):
        class_activation(network, images, LABELS)


@every_saliency
def test_the_network_is_left_as_it_was(name, images, network):
    network.train()
    network[0][1].eval()  # a frozen batch norm
    network[3].weight.grad = torch.ones_like(network[3].weight)
    modes = [module.training for module in network.modules()]
    state = {key: value.clone() for key, value in network.state_dict().items()}
    before, given = torch.get_rng_state(), images.clone()
    guide(name, network, images, LABELS, torch.ones(1, 1, 1))
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert network[0][0].weight.grad is None
    assert torch.equal(network[3].weight.grad, torch.ones_like(network[3].weight))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(images, given)
    assert not images.requires_grad
    assert not network[1]._forward_hooks


@through_the_network
def test_a_network_that_fails_is_left_as_it_was_too(function, images, network):
    network.train()
    with pytest.raises(RuntimeError, match="expected input"):
        function(network, images[:, :2], LABELS)
    assert all(module.training for module in network.modules())
    assert not network[1]._forward_hooks


@through_the_network
def test_a_first_layer_that_writes_in_place_spares_the_images(function, images, network):
    before = images.clone()
    writing = nn.Sequential(nn.ReLU(inplace=True), *network)
    found = function(writing, images, LABELS)
    assert torch.equal(images, before)
    torch.testing.assert_close(found, function(nn.Sequential(nn.ReLU(), *network), images, LABELS))


@through_the_network
def test_dropout_and_batch_statistics_play_no_part(function, images, network):
    together = function(network.train(), images, LABELS)
    assert torch.equal(together, function(network, images, LABELS))
    alone = torch.cat([function(network, images[i : i + 1], LABELS[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone)


@every_saliency
@pytest.mark.parametrize("grad", [True, False])
def test_autocast_and_grad_mode_change_nothing(name, grad, images, network):
    plain = guide(name, network, images, LABELS, torch.ones(1, 1, 1)).saliency
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.set_grad_enabled(grad):
        under = guide(name, network, images, LABELS, torch.ones(1, 1, 1)).saliency
        assert network(images).dtype == torch.bfloat16
    assert torch.equal(under, plain)
    assert under.dtype == torch.float32
    assert not under.requires_grad


@every_saliency
def test_half_precision_images_are_read_in_full_precision(name, images, network):
    rounded = images.bfloat16()
    found = guide(name, network, rounded, LABELS, torch.ones(1, 1, 1)).saliency
    assert torch.equal(found, guide(name, network, rounded.float(), LABELS, torch.ones(1, 1, 1)).saliency)


@every_saliency
def test_nothing_is_fetched_from_the_device(name, network):
    images = torch.empty(4, 3, 9, 12, device="meta")
    found = guide(name, network.to("meta"), images, LABELS.to("meta"), torch.ones(1, 1, 1, device="meta"))
    assert found.saliency.shape == (4, 9, 12)


@every_saliency
def test_saliency_is_made_of_shares(name, images, network):
    saliency = guide(name, network, images, LABELS, torch.ones(1, 1, 1)).saliency
    assert (saliency >= 0).all()
    torch.testing.assert_close(saliency.sum(dim=(1, 2)), torch.ones(4))


@pytest.mark.parametrize("nothing", [0.0, float("nan"), float("inf")])
def test_a_map_without_content_becomes_uniform_and_its_neighbour_stays(nothing):
    maps = torch.tensor([[[1.0, 3.0]], [[0.0, nothing]]])
    assert as_shares(maps).tolist() == [[[0.25, 0.75]], [[0.5, 0.5]]]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (2, 2), (5, 1), (3, 8), (17, 31), (28, 28)])
def test_a_constant_image_is_uniform_and_a_bright_dot_the_peak(rng, height, width):
    row, column = (int(torch.randint(size, (), generator=rng)) for size in (height, width))
    colour = torch.rand(1, 3, 1, 1, generator=rng) - 0.5
    images = colour.expand(2, 3, height, width).contiguous()
    images[1, :, row, column] = 1
    saliency = as_shares(centre_surround(nn.Identity(), images, torch.zeros(2, dtype=torch.int64)))
    assert torch.equal(saliency[0], torch.full((height, width), 1 / (height * width)))
    if height * width > 2:  # of two pixels, either stands out against the other
        assert int(saliency[1].argmax()) == row * width + column
        assert (saliency[1].flatten().topk(2).values.diff() < 0).all()


def test_centre_surround_compares_with_windows_clipped_at_the_border():
    # Of one row of 4, windows reach 1, 1 and 2 pixels.
    images = torch.tensor([0.0, 0.0, 6.0, 0.0]).view(1, 1, 1, 4)
    found = centre_surround(nn.Identity(), images, LABELS[:1])[0, 0]
    torch.testing.assert_close(found, 2 * torch.tensor([0.0, 2.0, 4.0, 3.0]) + torch.tensor([2.0, 1.5, 4.5, 2.0]))


@pytest.mark.parametrize("change", [lambda images: -images, lambda images: images + 5, lambda images: images.flip(3)])
def test_centre_surround_knows_no_sign_no_level_and_no_side(change: Callable[[Tensor], Tensor], images):
    found = centre_surround(nn.Identity(), change(images), LABELS)
    expected = centre_surround(nn.Identity(), images, LABELS)
    flipped = change(images).equal(images.flip(3))
    torch.testing.assert_close(found, expected.flip(2) if flipped else expected, rtol=1e-4, atol=1e-5)


class _WithAttention(nn.Module):
    """The last pooling is registered first, and one before it weighs the channels."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.convolution = nn.Conv2d(3, 8, 3, padding=1)
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 5)

    def forward(self, images):
        maps = self.convolution(images)
        maps = maps * self.squeeze(maps).sigmoid()
        return self.head(self.pool(maps).flatten(1))


@pytest.mark.parametrize("batch", [1, 6])
def test_last_pooling_called_is_taken_not_the_last_registered(batch):
    network, images, labels = _WithAttention(), torch.randn(batch, 3, 8, 8), torch.arange(batch) % 5
    maps = network.convolution(images)
    maps = maps * maps.mean(dim=(2, 3), keepdim=True).sigmoid()
    logits = torch.einsum("bchw,kc->bkhw", maps, network.head.weight)[torch.arange(batch), labels]
    expected = logits - logits.amin(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(class_activation(network, images, labels), expected, rtol=1e-4, atol=1e-5)


def test_compiled_network_is_asked_as_it_was_written():
    network, images, labels = _WithAttention(), torch.randn(4, 3, 8, 8), torch.arange(4)
    expected = class_activation(network, images, labels)
    compiled = torch.compile(network, backend="aot_eager")
    compiled.eval()
    with torch.no_grad():
        compiled(images)
    torch.testing.assert_close(class_activation(compiled, images, labels), expected)


def test_network_that_cannot_take_places_apart_is_refused_with_advice():
    class Viewed(_WithAttention):
        def forward(self, images):
            return self.head(self.pool(self.convolution(images)).view(len(images), -1))

    with pytest.raises(ValueError, match=r"AdaptiveAvgPool2d.*set saliency to gradient or centre_surround"):
        class_activation(Viewed(), torch.randn(3, 3, 8, 8), torch.arange(3))
