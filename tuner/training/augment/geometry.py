"""Rotation, affine and elastic distortion of a batch of bytes, with a draw for each example.

torchvision's transforms draw once for the batch that they are given. Its kernels are batched for one draw only and make
the host wait to bring its numbers to a GPU, so what is called here is torch's `grid_sample`, as they do.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from tuner.training.augment.base import Augmentation, Images, for_some, on_device, uniform
from tuner.training.augment.blur import blurred, gaussian_kernels

Interpolation = Literal["nearest", "bilinear"]


def rotation(
    *, degrees: Annotated[float, Gt(0), Le(180)] = 15.0, interpolation: Interpolation = "bilinear"
) -> Augmentation:
    """Rotation about the centre by up to so many degrees either way; what comes in from outside is zero."""

    def apply(images: Images, rng: torch.Generator) -> Images:
        angles = uniform(len(images), -degrees, degrees, rng)
        return moved(images, inverse_affine(angles), interpolation)

    return apply


def affine(
    *,
    degrees: Annotated[float, Ge(0), Le(180)] = 15.0,
    translate: Annotated[float, Ge(0), Le(1)] = 0.1,
    scale: Annotated[float, Ge(0), Lt(1)] = 0.1,
    shear: Annotated[float, Ge(0), Lt(90)] = 10.0,
    interpolation: Interpolation = "bilinear",
) -> Augmentation:
    """Rotation and shear by up to so many degrees, shift by up to a share of the size, and scaling by 1 -+ scale.

    The shift is by whole pixels and the shear along the rows, as torchvision's RandomAffine does them.
    """

    def apply(images: Images, rng: torch.Generator) -> Images:
        batch, _, height, width = images.shape
        shifts = [uniform(batch, -translate * size, translate * size, rng).round() for size in (width, height)]
        matrices = inverse_affine(
            uniform(batch, -degrees, degrees, rng),
            shift=torch.stack(shifts, dim=1),
            scale=uniform(batch, 1 - scale, 1 + scale, rng),
            shear=torch.stack([uniform(batch, -shear, shear, rng), torch.zeros(batch)], dim=1),
        )
        return moved(images, matrices, interpolation)

    return apply


def elastic(
    *,
    alpha: Annotated[float, Gt(0)] = 50.0,
    sigma: Annotated[float, Gt(0), Le(100)] = 5.0,
    probability: Annotated[float, Ge(0), Le(1)] = 1.0,
    interpolation: Interpolation = "bilinear",
) -> Augmentation:
    """Distortion by a random field of shifts, smooth over sigma pixels and alpha strong, in a share of the examples.

    alpha scales a field of even draws from -1 to 1 that was blurred, in pixels / 2, as in torchvision's
    ElasticTransform.

    Source: Simard et al. 2003, "Best practices for convolutional neural networks", section 2.
    """

    def apply(images: Images, rng: torch.Generator) -> Images:
        draws = 2 * torch.rand(len(images), 2, *images.shape[2:], generator=rng) - 1
        changed = distorted(images, on_device(draws, images.device), alpha, sigma, interpolation)
        return for_some(changed, images, probability, rng)

    return apply


def distorted(
    images: Images, draws: Float[Tensor, "batch 2 h w"], alpha: float, sigma: float, interpolation: Interpolation
) -> Images:
    """Return each image read at places shifted by alpha times its draws (along x, along y), blurred by sigma pixels."""
    batch, _, height, width = images.shape
    kernels = gaussian_kernels(torch.full((batch,), sigma), radius=int(4 * sigma))
    field = blurred(draws, on_device(kernels, images.device))
    shifts = torch.stack([field[:, 0] * (alpha / width), field[:, 1] * (alpha / height)], dim=3)
    unmoved = torch.eye(2, 3, device=images.device).expand(batch, 2, 3)
    grid = affine_grid(unmoved, [batch, 1, height, width], align_corners=False)
    return sampled(images, grid + shifts, interpolation)


def inverse_affine(
    angle: Float[Tensor, " batch"],
    shift: Float[Tensor, "batch 2"] | None = None,
    scale: Float[Tensor, " batch"] | None = None,
    shear: Float[Tensor, "batch 2"] | None = None,
    centre: tuple[float, float] = (0.0, 0.0),
) -> Float[Tensor, "batch 2 3"]:
    """Return the matrices that give each output pixel's place in the input, in pixels (x, y) from the image's centre.

    Angles are in degrees, clockwise as the image is seen; `centre` stays where it is but for the shift. The forward map
    is torchvision's: shear x, shear y, scale, rotate, shift.
    """
    angle = torch.deg2rad(angle)
    shift = torch.zeros(len(angle), 2) if shift is None else shift
    scale = torch.ones(len(angle)) if scale is None else scale
    along_x, along_y = torch.deg2rad(torch.zeros(2, len(angle)) if shear is None else shear.T)
    a = torch.cos(angle - along_y) / torch.cos(along_y)
    c = torch.sin(angle - along_y) / torch.cos(along_y)
    b = -a * torch.tan(along_x) - torch.sin(angle)
    d = -c * torch.tan(along_x) + torch.cos(angle)
    inverse = torch.stack([d, -b, -c, a], dim=1).view(-1, 2, 2) / scale[:, None, None]
    fixed = torch.tensor(centre)
    offset = fixed - (inverse @ (fixed + shift)[:, :, None])[:, :, 0]
    return torch.cat([inverse, offset[:, :, None]], dim=2)


def moved(images: Images, inverse: Float[Tensor, "batch 2 3"], interpolation: Interpolation) -> Images:
    """Return the images read at the places that the matrices of `inverse_affine` give; zero outside of the input."""
    batch, _, height, width = images.shape
    half = torch.tensor([width / 2, height / 2])
    # From pixels to torch's units, in which the image reaches from -1 to 1.
    units = torch.cat([half, torch.ones(1)]) / half[:, None]
    grid = affine_grid(on_device(inverse * units, images.device), [batch, 1, height, width], align_corners=False)
    return sampled(images, grid, interpolation)


def sampled(images: Images, grid: Float[Tensor, "batch h w 2"], interpolation: Interpolation) -> Images:
    """Return the images read at the places of `grid`, rounded to bytes."""
    floats = grid_sample(images.float(), grid, mode=interpolation, padding_mode="zeros", align_corners=False)
    return floats.round_().to(torch.uint8)
