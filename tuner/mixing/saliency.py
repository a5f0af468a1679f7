"""Where the content of an image is: three answers, at different prices.

Each is a function of (network, images, labels) that returns one map an image; `guide` makes them shares of each
image. Nothing of the network changes: it runs in evaluation mode (batch norm statistics are read, not moved; no
dropout), in float32 even under autocast, and no parameter's gradient is touched.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from tuner.mixing.base import Guide

Images = Float[Tensor, "batch c h w"]
Maps = Float[Tensor, "batch h w"]

_WANTED = (
    "saliency class_activation needs a network that ends in the module AdaptiveAvgPool2d(1), then flattened and "
    "classified; set saliency to gradient or centre_surround"
)

_SURROUNDS = (8, 4, 2)
"""A pixel is compared with windows that reach this fraction of the image's size around it."""


@dataclass(frozen=True)
class Saliency:
    """One answer: the function, and what it costs beside the training step itself."""

    function: Callable[[nn.Module, Tensor, Tensor], Tensor]
    extra_forward: int
    extra_backward: int


def guide(
    name: str, network: nn.Module, images: Images, labels: Int[Tensor, " batch"], contrast: Float[Tensor, "#c 1 1"]
) -> Guide:
    """Return the guide that a method asks for by its saliency's name.

    Raises:
        ValueError: the network is not of the kind that `class_activation` needs.
    """
    return Guide(as_shares(SALIENCIES[name].function(network, images.detach(), labels)), contrast)


def as_shares(saliency: Maps) -> Maps:
    """Return each map divided by its sum; one without any content, or with NaN, becomes uniform."""
    total = saliency.sum(dim=(1, 2), keepdim=True)
    pixels = saliency.shape[1] * saliency.shape[2]
    return torch.where((total > 0) & total.isfinite(), saliency / total, 1 / pixels)


def input_gradient(network: nn.Module, images: Images, labels: Int[Tensor, " batch"]) -> Maps:
    """Return how strongly the loss depends on each pixel: the root mean square of its gradient over the channels.

    One forward and one backward pass.

    Source: Kim et al., Puzzle Mix (arXiv 2009.06962), section 3; Simonyan et al. 2013 (arXiv 1312.6034).
    """
    with _as_it_is(network, images.device), torch.enable_grad():
        inputs = images.detach().float().requires_grad_()
        logits = network(inputs.clone()).float()  # the first layer may write in place
        loss = cross_entropy(logits, labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, inputs)
    # Squares of small gradients would vanish in float32: a confident network's are 1e-25 and below.
    largest = gradient.abs().amax(dim=(1, 2, 3), keepdim=True)
    scaled = gradient / largest.clamp(min=torch.finfo(gradient.dtype).tiny)
    return scaled.square().mean(dim=1).sqrt()


def class_activation(network: nn.Module, images: Images, labels: Int[Tensor, " batch"]) -> Maps:
    """Return how much each place speaks for the image's own class: its logit where the pooled map stands alone.

    One forward pass. All that follows the last global average pooling is applied to every place of the map by itself,
    which for a linear classifier is the class activation map with the bias; the map is then enlarged bilinearly, and
    its smallest value subtracted.

    Raises:
        ValueError: the network does not end in the module `AdaptiveAvgPool2d(1)`, and layers that take its map of one
            place for what it is.

    Source: Zhou et al., Learning Deep Features for Discriminative Localization (arXiv 1512.04150), equation 2; as
    used by Huang et al., SnapMix (arXiv 2012.04846), equation 2.
    """
    shape: list[int] = []

    def take_places_apart(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        maps = inputs[0]
        shape[:] = [maps.shape[0], maps.shape[2], maps.shape[3]]
        return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1], 1, 1)

    with _as_it_is(network, images.device), torch.no_grad():
        hook = _global_average(network, images).register_forward_hook(take_places_apart)
        try:
            logits = network(images.float().clone()).float()  # the first layer may write in place
        except RuntimeError as error:
            if not shape:
                raise
            raise ValueError(f"{_WANTED}: what follows it fails on one place of its map ({error})") from error
        finally:
            hook.remove()
    if len(logits) != math.prod(shape):
        raise ValueError(f"{_WANTED}: {len(logits)} rows came out of {math.prod(shape)} places")
    batch, height, width = shape
    own = labels[:, None].expand(-1, height * width).reshape(-1, 1)
    activation = logits.gather(1, own).view(batch, 1, height, width)
    # Before enlarging too, or the rounding errors of a map of one value would be all that is left of it.
    enlarged = interpolate(_above_least(activation), images.shape[-2:], mode="bilinear", align_corners=False)
    return _above_least(enlarged)[:, 0]


def centre_surround(network: nn.Module, images: Images, labels: Int[Tensor, " batch"]) -> Maps:
    """Return how much each pixel's brightness differs from its surroundings', summed over three sizes of these.

    No pass through the network. The idea of OpenCV's fine-grained saliency (SaliencyMix's choice), in a few matrix
    products for the batch. Not its numbers: OpenCV smooths first, compares with windows that reach 12 to 112 pixels
    whatever the image's size, and scales brighter and darker places apart, so that a dark background counts as much
    as the bright object on it. Over 500 CIFAR-10 images the two maps' mean rank correlation is 0.47.

    Source: Montabone and Soto, Human detection using a mobile platform and novel features derived from a visual
    saliency mechanism (Image and Vision Computing 28, 2010), section 3; the sizes are ours, for images of any size.
    """
    # From the darkest pixel on: exactly 0 for an image of one colour, where rounding errors would make a peak.
    brightness = _above_least(images.float().mean(dim=1, keepdim=True)).contiguous()
    with full_precision(images.device):
        differences = [(brightness - _surroundings(brightness, fraction)).abs() for fraction in _SURROUNDS]
    return torch.stack(differences).sum(dim=0)[:, 0]


SALIENCIES: Mapping[str, Saliency] = {
    "gradient": Saliency(input_gradient, extra_forward=1, extra_backward=1),
    "class_activation": Saliency(class_activation, extra_forward=1, extra_backward=0),
    "centre_surround": Saliency(centre_surround, extra_forward=0, extra_backward=0),
}


def _above_least(maps: Tensor) -> Tensor:
    return maps - maps.amin(dim=(2, 3), keepdim=True)


def _surroundings(brightness: Tensor, fraction: int) -> Tensor:
    """Return the mean around each pixel: two matrix products, 15 times faster on a CPU than pooling."""
    rows, columns = (_windows(side, fraction, brightness.device) for side in brightness.shape[-2:])
    return rows @ brightness @ columns.mT


def _windows(side: int, fraction: int, device: torch.device) -> Tensor:
    """Return, for each place of an axis, the weights of the mean over its window."""
    places = torch.arange(side, device=device)
    within = ((places[:, None] - places).abs() <= max(1, side // fraction)).float()
    return within / within.sum(dim=1, keepdim=True)


def _global_average(network: nn.Module, images: Images) -> nn.Module:
    """Return the last of the network's global average poolings to be called."""
    pools = [
        module
        for module in network.modules()
        if isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1))
    ]
    called: list[nn.Module] = []
    hooks = [pool.register_forward_hook(lambda module, *_: called.append(module)) for pool in pools]
    try:
        if len(pools) > 1:  # attention over channels pools as well: one example tells which comes last
            network(images[:1].float().clone())
    finally:
        for hook in hooks:
            hook.remove()
    if not pools or (len(pools) > 1 and not called):
        raise ValueError(_WANTED)
    return called[-1] if called else pools[0]


@contextmanager
def _as_it_is(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Run the network in evaluation mode and full precision, and leave every module in the mode it was in."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with full_precision(device), _eager():
            yield
    finally:
        for module, was_training in modes:
            module.training = was_training


def _eager() -> AbstractContextManager[object]:
    """Run what was compiled as it was written: compiled code does not look at hooks."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context of float32 where the training step runs in less."""
    if not torch.amp.is_autocast_available(device.type):  # torch's meta device, on which policies are tried
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
