"""torchvision's classification models by name, for images of any channels and classes, their stages known."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tuner.catalog import nearest
from tuner.models.base import ImageShape
from tuner.models.stages import with_stages

_WITH_AUXILIARY_HEADS = ("googlenet", "inception_v3")


def torchvision(
    image: ImageShape,
    classes: int,
    *,
    architecture: str = "resnet18",
    weights: str = "none",
    stages: tuple[str, ...] = (),
) -> nn.Module:
    """One of torchvision's classification models, its first convolution and its head made for these images.

    `weights` is none, one of torchvision's (DEFAULT, IMAGENET1K_V1 ...: downloaded once to torch's cache), or a file of
    a state_dict. Without `stages` they are those known of the family. Most networks want images of 32 pixels or more,
    inception_v3 75, maxvit_t multiples of 224; a vision transformer is built for the size that the images have.
    Auxiliary heads are left out.

    Raises:
        ValueError: no such architecture or weights, or weights that do not fit it.
    """
    from torchvision import models  # a second to import

    known = models.list_models(module=models)
    if architecture not in known:
        hint = nearest(architecture, known) or "; see https://pytorch.org/vision/stable/models.html#classification"
        raise ValueError(f"torchvision has no classification model {architecture!r}{hint}")
    model: nn.Module = models.get_model(architecture, num_classes=classes, **_options(architecture, image))
    if weights != "none":
        _load(model, _weights(architecture, weights), classes, f"weights {weights} of {architecture}")
    _take_channels(model, image.channels)
    return with_stages(model, stages or known_stages(architecture, model))


def known_stages(architecture: str, model: nn.Module) -> tuple[str, ...]:
    """Return the names of an architecture's stages: where its maps are about to be halved, or a transformer's blocks.

    Empty for an architecture that is newer than this table.
    """
    for pattern, names in _STAGES:
        if re.match(pattern, architecture):
            return tuple(names) if isinstance(names, tuple) else tuple(names(model))
    return ()


def _before_strides(model: nn.Module) -> list[str]:
    """Name what stands in a sequence before each part that halves the map, and before the head's last convolution."""
    name, sequence = next(iter(model.named_children()))
    parts = list(sequence.children())
    halving = [index for index, part in enumerate(parts) if _halves(part)]
    head = max(index for index, part in enumerate(parts) if _has_convolution(part))
    return [f"{name}.{index - 1}" for index in (*halving[1:], head)]


def _halves(part: nn.Module) -> bool:
    return any(isinstance(module, nn.Conv2d) and max(module.stride) > 1 for module in part.modules())


def _has_convolution(part: nn.Module) -> bool:
    return any(isinstance(module, nn.Conv2d) for module in part.modules())


def _pools(model: nn.Module) -> list[str]:
    """Name each max pooling, which in these networks halves the map."""
    return [name for name, module in model.named_modules() if isinstance(module, nn.MaxPool2d)]


def _blocks_of_encoder(model: nn.Module) -> list[str]:
    return [f"encoder.layers.{name}" for name, _ in model.get_submodule("encoder.layers").named_children()]


_STAGES: tuple[tuple[str, tuple[str, ...] | Callable[[nn.Module], list[str]]], ...] = (
    (r"(wide_)?res(net|next)\d", ("layer1", "layer2", "layer3", "layer4")),
    (r"regnet", tuple(f"trunk_output.block{number}" for number in range(1, 5))),
    (r"densenet", tuple(f"features.denseblock{number}" for number in range(1, 5))),
    (r"shufflenet", ("stage2", "stage3", "stage4")),
    (r"convnext|swin", ("features.1", "features.3", "features.5", "features.7")),
    (r"maxvit", tuple(f"blocks.{number}" for number in range(4))),
    (r"vit", _blocks_of_encoder),
    (r"googlenet", ("maxpool1", "inception3b", "inception4e", "inception5b")),
    (r"inception_v3", ("maxpool1", "maxpool2", "Mixed_5d", "Mixed_6e", "Mixed_7c")),
    (r"efficientnet|mobilenet|mnasnet", _before_strides),
    (r"vgg|alexnet|squeezenet", _pools),
)


def _options(architecture: str, image: ImageShape) -> dict[str, Any]:
    """Return what an architecture has to be told to be built for these images.

    Raises:
        ValueError: it cannot be built for their size.
    """
    if architecture in _WITH_AUXILIARY_HEADS:
        return {"aux_logits": False, "init_weights": True}
    if architecture.startswith("vit_"):
        patch = int(architecture.rpartition("_")[2])
        if image.height != image.width or image.height % patch:
            size = f"{image.height}x{image.width}"
            raise ValueError(f"{architecture} needs square images of a multiple of {patch} pixels, got {size}")
        return {"image_size": image.height}
    if architecture.startswith("maxvit"):
        if image.height % 224 or image.width % 224:
            size = f"{image.height}x{image.width}"
            raise ValueError(f"{architecture} needs images of a multiple of 224 pixels, got {size}")
        return {"input_size": (image.height, image.width)}
    return {}


def _take_channels(model: nn.Module, channels: int) -> None:
    """Make the first convolution take `channels`: its filters summed for one, else repeated, at the same strength."""
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    weight = first.weight.detach()
    if channels == weight.shape[1]:
        return
    if channels == 1:
        adapted = weight.sum(dim=1, keepdim=True)
    else:
        repeats = -(-channels // weight.shape[1])
        adapted = weight.repeat(1, repeats, 1, 1)[:, :channels] * (weight.shape[1] / channels)
    first.in_channels = channels
    first.weight = nn.Parameter(adapted)


def _weights(architecture: str, weights: str) -> Mapping[str, Tensor]:
    """Return a state_dict from a file, or torchvision's own, which is downloaded; on the meta device, empty tensors."""
    from torchvision import models

    known = [known.name for known in models.get_model_weights(architecture)]
    if weights in (*known, "DEFAULT"):
        is_for_real = torch.get_default_device().type != "meta"
        return dict(models.get_model(architecture, weights=weights if is_for_real else None).state_dict())
    file = Path(weights).expanduser()
    if not file.is_file():
        raise ValueError(f"weights {weights!r} is no file, nor one of none, DEFAULT, {', '.join(known)}")
    try:
        return dict(torch.load(file, map_location="cpu", weights_only=True))
    except (pickle.UnpicklingError, RuntimeError, EOFError, TypeError, ValueError) as error:
        raise ValueError(f"weights {file} is no state_dict as torch.save writes it: {error}") from error


def _load(model: nn.Module, given: Mapping[str, Tensor], classes: int, what: str) -> None:
    """Load weights; the head stays new where it is for another number of classes.

    Raises:
        ValueError: more than the head is missing or of another shape.
    """
    own = model.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and value.shape == own[name].shape}
    new = [name for name, value in own.items() if name not in fitting and value.shape[:1] != (classes,)]
    if new:
        raise ValueError(f"{what} do not fit: {new[0]} and {len(new) - 1} more are missing or of another shape")
    if next(model.parameters()).device.type != "meta":
        model.load_state_dict(fitting, strict=False)
