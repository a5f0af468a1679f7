"""AutoAugment's operations on a batch of bytes, by their published names, with a magnitude for each example."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

from tuner.training.augment.base import Images, for_each
from tuner.training.augment.colour import adjusted_brightness, adjusted_contrast, adjusted_saturation, check_channels
from tuner.training.augment.geometry import inverse_affine, moved

Magnitudes = Float[Tensor, " batch"]
Operation = Callable[[Tensor, Tensor], Tensor]


def _shear(images: Images, magnitudes: Magnitudes, axis: int) -> Images:
    """Shift each row (axis 0) or column by the magnitude times its distance from the corner."""
    angles = torch.zeros(len(images), 2)
    angles[:, axis] = torch.rad2deg(torch.atan(magnitudes))
    corner = (-images.shape[3] / 2, -images.shape[2] / 2)
    return moved(images, inverse_affine(torch.zeros(len(images)), shear=angles, centre=corner), "nearest")


def _translate(images: Images, magnitudes: Magnitudes, axis: int) -> Images:
    shifts = torch.zeros(len(images), 2)
    shifts[:, axis] = magnitudes.trunc()
    return moved(images, inverse_affine(torch.zeros(len(images)), shift=shifts), "nearest")


def _rotate(images: Images, magnitudes: Magnitudes) -> Images:
    return moved(images, inverse_affine(-magnitudes), "nearest")  # anticlockwise, as torchvision's rotation is


def _sharpness(images: Images, magnitudes: Magnitudes) -> Images:
    """Blend with a smoothed version, but for the outermost pixels; an image without inner pixels stays as it is."""
    channels, height, width = images.shape[1:]
    if min(height, width) <= 2:
        return images
    floats = images.float()
    kernel = torch.ones(channels, 1, 3, 3, device=images.device) / 13
    kernel[:, :, 1, 1] *= 5
    smooth = floats.clone()
    smooth[:, :, 1:-1, 1:-1] = conv2d(floats, kernel, groups=channels).round_()
    sharp = torch.lerp(smooth, floats, for_each(1 + magnitudes, images.device))
    return sharp.clamp_(0, 255).to(torch.uint8)


def _posterize(images: Images, magnitudes: Magnitudes) -> Images:
    kept = (256 - 2 ** (8 - magnitudes)).to(torch.uint8)
    return images & for_each(kept, images.device)


def _solarize(images: Images, magnitudes: Magnitudes) -> Images:
    return torch.where(images >= for_each(255 * magnitudes, images.device), 255 - images, images)


def _autocontrast(images: Images, magnitudes: Magnitudes) -> Images:
    from torchvision.transforms.v2.functional import autocontrast  # heavy

    return _of_colour(autocontrast, images)


def _equalize(images: Images, magnitudes: Magnitudes) -> Images:
    from torchvision.transforms.v2.functional import equalize

    return _of_colour(equalize, images)


def _invert(images: Images, magnitudes: Magnitudes) -> Images:
    return _of_colour(torch.bitwise_not, images)


def _of_colour(function: Callable[[Tensor], Tensor], images: Images) -> Images:
    check_channels(images)
    return function(images)


OPERATIONS: Mapping[str, Operation] = {
    "ShearX": lambda images, magnitudes: _shear(images, magnitudes, 0),
    "ShearY": lambda images, magnitudes: _shear(images, magnitudes, 1),
    "TranslateX": lambda images, magnitudes: _translate(images, magnitudes, 0),
    "TranslateY": lambda images, magnitudes: _translate(images, magnitudes, 1),
    "Rotate": _rotate,
    "Brightness": lambda images, magnitudes: adjusted_brightness(images, 1 + magnitudes),
    "Color": lambda images, magnitudes: adjusted_saturation(images, 1 + magnitudes),
    "Contrast": lambda images, magnitudes: adjusted_contrast(images, 1 + magnitudes),
    "Sharpness": _sharpness,
    "Posterize": _posterize,
    "Solarize": _solarize,
    "AutoContrast": _autocontrast,
    "Equalize": _equalize,
    "Invert": _invert,
}
