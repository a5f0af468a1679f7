"""Colour augmentation of a batch of bytes: jitter and noise, with factors of its own for each example.

The adjustments are torchvision's functions of the same names with a factor for each example: theirs take one number.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from jaxtyping import Float
from torch import Tensor

from tuner.training.augment.base import Augmentation, Images, for_each, for_some, on_device, uniform

Factors = Float[Tensor, " batch"]


def color_jitter(
    *,
    brightness: Annotated[float, Ge(0)] = 0.4,
    contrast: Annotated[float, Ge(0)] = 0.4,
    saturation: Annotated[float, Ge(0)] = 0.4,
    hue: Annotated[float, Ge(0), Le(0.5)] = 0.1,
    probability: Annotated[float, Ge(0), Le(1)] = 1.0,
) -> Augmentation:
    """Brightness, contrast and saturation changed by a factor of up to 1 -+ so much, and hue by up to so many turns.

    Images of one channel have neither saturation nor hue to change. The order of the four is drawn once a batch.

    Source: Howard 2013 (arXiv 1312.5402); the adjustments are torchvision's.
    """
    strengths = ((adjusted_brightness, brightness), (adjusted_contrast, contrast), (adjusted_saturation, saturation))

    def apply(images: Images, rng: torch.Generator) -> Images:
        changed = images
        for step in torch.randperm(4, generator=rng).tolist():
            if step < 3:
                adjusted, strength = strengths[step]
                factors = uniform(len(images), max(0.0, 1 - strength), 1 + strength, rng)
                changed = adjusted(changed, factors) if strength else changed
            else:
                turns = uniform(len(images), -hue, hue, rng)
                changed = adjusted_hue(changed, turns) if hue else changed
        return for_some(changed, images, probability, rng)

    return apply


def gaussian_noise(
    *,
    sigma: Annotated[float, Gt(0), Le(1)] = 0.1,
    probability: Annotated[float, Ge(0), Le(1)] = 1.0,
) -> Augmentation:
    """Normal noise added to every value, of so large a share of the whole range, in a share of the examples."""

    def apply(images: Images, rng: torch.Generator) -> Images:
        noise = on_device(torch.randn(images.shape, generator=rng), images.device)
        changed = torch.add(images, noise, alpha=255 * sigma).round_().clamp_(0, 255).to(torch.uint8)
        return for_some(changed, images, probability, rng)

    return apply


def adjusted_brightness(images: Images, factors: Factors) -> Images:
    """Return every value times its example's factor."""
    return _bytes(images * for_each(factors, images.device))


def adjusted_contrast(images: Images, factors: Factors) -> Images:
    """Return the images blended with their mean grey value: 0 is grey, 1 the image, above 1 beyond it."""
    return _blended(images, _grey(images).mean(dim=(1, 2, 3), keepdim=True), factors)


def adjusted_saturation(images: Images, factors: Factors) -> Images:
    """Return the images blended with their grey version; images of one channel as they are."""
    return images if images.shape[1] == 1 else _blended(images, _grey(images), factors)


def adjusted_hue(images: Images, turns: Factors) -> Images:
    """Return the images with their hue turned by so many turns of the colour wheel; grey images as they are."""
    check_channels(images)
    if images.shape[1] == 1:
        return images
    red, green, blue = images.float().unbind(1)
    value, low = torch.maximum(torch.maximum(red, green), blue), torch.minimum(torch.minimum(red, green), blue)
    chroma = value - low
    span = chroma.clamp_min(1)
    sixths = torch.where(value == green, (blue - red) / span + 2, (red - green) / span + 4)
    sixths = torch.where(value == red, (green - blue) / span, sixths) + 6 * for_each(turns, images.device)[:, 0]
    # Each channel is `value` within a sixth of the wheel from its own hue, and `value - chroma` far from it.
    offsets = torch.tensor([5.0, 3.0, 1.0])
    place = (on_device(offsets, images.device)[:, None, None] + sixths[:, None]) % 6
    share = torch.minimum(place, 4 - place).clamp_(0, 1)
    return (value[:, None] - chroma[:, None] * share).round_().to(torch.uint8)


def check_channels(images: Images) -> None:
    """Refuse images that are neither grey nor of three colours.

    Raises:
        ValueError: they are.
    """
    if images.shape[1] not in (1, 3):
        raise ValueError(f"changes of colour need images of 1 or 3 channels, got {images.shape[1]}; leave them out")


def _grey(images: Images) -> Float[Tensor, "batch 1 h w"]:
    check_channels(images)
    if images.shape[1] == 1:
        return images.float()
    red, green, blue = images.float().unbind(1)
    return (0.2989 * red + 0.587 * green + 0.114 * blue).floor_()[:, None]


def _blended(images: Images, others: Float[Tensor, "batch _ #h #w"], factors: Factors) -> Images:
    return _bytes(torch.lerp(others.expand(images.shape), images.float(), for_each(factors, images.device)))


def _bytes(values: Tensor) -> Images:
    return values.clamp_(0, 255).to(torch.uint8)
