"""Each example's augmentation is what torchvision makes of that image with the same numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import torch
from scipy import stats
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional

from tuner.catalog import resolve
from tuner.training.augment import AUGMENTATIONS, colour, geometry
from tuner.training.augment.blur import blurred, gaussian_kernels
from tuner.training.augment.boxes import resized_crop
from tuner.training.augment.operations import OPERATIONS

SHAPES = [(40, 3, 32, 32), (40, 1, 20, 33)]
BILINEAR = InterpolationMode.BILINEAR


def images(*shape: int) -> Tensor:
    """Smooth images over the whole range, so that a pixel read a millionth beside its place is not another value."""
    coarse = torch.rand(*shape[:2], 5, 5, generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.interpolate(coarse, shape[2:], mode="bicubic").clamp(0, 1)
    return (255 * smooth).round().to(torch.uint8)


def assert_same(ours: Tensor, theirs: Tensor, share: float = 1.0) -> None:
    """To one byte, as the order of sums differs; in a `share` of all values."""
    assert ours.shape == theirs.shape
    assert ((ours.int() - theirs.int()).abs() <= 1).float().mean() >= share


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("nearest", [False, True])
def test_rotation_and_affine(shape, nearest, rng):
    before, batch = images(*shape), shape[0]
    name, mode = ("nearest", InterpolationMode.NEAREST) if nearest else ("bilinear", BILINEAR)
    angles, scales = 360 * torch.rand(batch, generator=rng) - 180, 0.5 + torch.rand(batch, generator=rng)
    shifts, shears = 10 * torch.randn(2, batch, 2, generator=rng)
    shifts = shifts.round()
    share = 0.999 if nearest else 1.0  # a tie between two pixels falls either way
    rotated = [functional.rotate(image, float(-angle), mode) for image, angle in zip(before, angles, strict=True)]
    assert_same(geometry.moved(before, geometry.inverse_affine(angles), name), torch.stack(rotated), share)
    numbers = zip(before, angles.tolist(), shifts.tolist(), scales.tolist(), shears.tolist(), strict=True)
    matrices = geometry.inverse_affine(angles, shifts, scales, shears)
    theirs = torch.stack([functional.affine(*each, interpolation=mode) for each in numbers])
    assert_same(geometry.moved(before, matrices, name), theirs, share)


@pytest.mark.parametrize("shape", SHAPES)
def test_elastic(shape, rng):
    before, sigma, alpha = images(*shape), 2.0, 60.0
    draws = 2 * torch.rand(shape[0], 2, *shape[2:], generator=rng) - 1
    field = functional.gaussian_blur(draws, [17, 17], [sigma, sigma])
    field = alpha * torch.stack([field[:, 0] / shape[3], field[:, 1] / shape[2]], dim=3)
    theirs = torch.stack([functional.elastic(image, shift[None]) for image, shift in zip(before, field, strict=True)])
    assert_same(geometry.distorted(before, draws, alpha, sigma, "bilinear"), theirs)


@pytest.mark.parametrize("shape", SHAPES)
def test_resized_crop(shape, rng):
    before, size = images(*shape), shape[2:]
    sides = torch.stack([torch.randint(1, length + 1, (shape[0],), generator=rng) for length in size])
    corners = (torch.rand(2, shape[0], generator=rng) * (torch.tensor(size)[:, None] - sides + 1)).long()
    boxes = torch.cat([corners, sides])
    theirs = [
        functional.resized_crop(image, *box, list(size)) for image, box in zip(before, boxes.T.tolist(), strict=True)
    ]
    assert_same(resized_crop(before, boxes), torch.stack(theirs))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_adjustment_of_colour(name, shape, rng):
    before, factors = images(*shape), 2 * torch.rand(shape[0], generator=rng)
    factors = factors / 2 - 0.5 if name == "hue" else factors
    adjust = getattr(functional, f"adjust_{name}")
    theirs = [adjust(image, factor) for image, factor in zip(before, factors.tolist(), strict=True)]
    assert_same(getattr(colour, f"adjusted_{name}")(before, factors), torch.stack(theirs))


def test_gaussian_noise(rng):
    before = images(*SHAPES[0])
    ours = AUGMENTATIONS.build(resolve(AUGMENTATIONS, {"name": "gaussian_noise", "sigma": 0.2}))(before, rng)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert_same(ours, functional.gaussian_noise(before, sigma=0.2))


@pytest.mark.parametrize("shape", SHAPES)
def test_gaussian_blur(shape, rng):
    before, sigmas = images(*shape), 0.1 + 2 * torch.rand(shape[0], generator=rng)
    theirs = [
        functional.gaussian_blur(image, [13, 13], [sigma, sigma])
        for image, sigma in zip(before, sigmas.tolist(), strict=True)
    ]
    ours = blurred(before.float(), gaussian_kernels(sigmas, radius=6))
    assert_same(ours.round().to(torch.uint8), torch.stack(theirs))


def affine(image: Tensor, shift: tuple[int, int] = (0, 0), shear: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    return functional.affine(image, 0.0, list(shift), 1.0, list(shear), center=[0, 0])


def degrees(slope: float) -> float:
    return float(torch.rad2deg(torch.atan(torch.tensor(slope, dtype=torch.float64))))


REFERENCE: dict[str, Callable[[Tensor, float], Tensor]] = {
    "Identity": lambda image, size: image,
    "ShearX": lambda image, size: affine(image, shear=(degrees(size), 0.0)),
    "ShearY": lambda image, size: affine(image, shear=(0.0, degrees(size))),
    "TranslateX": lambda image, size: affine(image, shift=(int(size), 0)),
    "TranslateY": lambda image, size: affine(image, shift=(0, int(size))),
    "Rotate": functional.rotate,
    "Brightness": lambda image, size: functional.adjust_brightness(image, 1 + size),
    "Color": lambda image, size: functional.adjust_saturation(image, 1 + size),
    "Contrast": lambda image, size: functional.adjust_contrast(image, 1 + size),
    "Sharpness": lambda image, size: functional.adjust_sharpness(image, 1 + size),
    "Posterize": lambda image, size: functional.posterize(image, int(size)),
    "Solarize": lambda image, size: functional.solarize(image, 255 * size),
    "AutoContrast": lambda image, size: functional.autocontrast(image),
    "Equalize": lambda image, size: functional.equalize(image),
    "Invert": lambda image, size: functional.invert(image),
}
SPACES = {
    "auto_augment": (v2.AutoAugment._AUGMENTATION_SPACE, 10),
    "rand_augment": (v2.RandAugment._AUGMENTATION_SPACE, 31),
    "trivial_augment_wide": (v2.TrivialAugmentWide._AUGMENTATION_SPACE, 31),
}


def sizes(name: str, operation: str, shape: torch.Size) -> list[list[float]]:
    """The sizes that an operation of a method may have at each level."""
    space, bins = SPACES[name]
    of_level, signed = space[operation]
    levels = of_level(bins, *shape[-2:])
    levels = [0.0] * bins if levels is None else levels.float().tolist()
    return [[size, -size] if signed else [size] for size in levels]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_of_the_policies(operation, shape):
    name = "auto_augment" if operation == "Invert" else "trivial_augment_wide"
    every = [size for level in sizes(name, operation, torch.Size(shape)) for size in level]
    before = images(len(every), *shape[1:])
    theirs = torch.stack([REFERENCE[operation](image, size) for image, size in zip(before, every, strict=True)])
    # Rotated by 90 degrees, every pixel of an image of 20 x 33 lies between two others.
    assert_same(OPERATIONS[operation](before, torch.tensor(every)), theirs, 0.99 if operation == "Rotate" else 0.999)


def changed(name: str, image: Tensor, operation: str, level: int | None) -> list[Tensor]:
    """What an operation at a level may make of an image: one of each sign."""
    return [REFERENCE[operation](image, size) for size in sizes(name, operation, image.shape)[level or 0]]


def outcomes(name: str, image: Tensor) -> Iterator[tuple[str, Tensor]]:
    """What may become of an image, and of what operation or pair of them."""
    if name == "auto_augment":
        for pair in v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)._policies:
            (first, _, level), (second, _, level_of_second) = pair
            for between in [image, *changed(name, image, first, level)]:
                for after in [between, *changed(name, between, second, level_of_second)]:
                    yield str(pair), after
        return
    for operation in SPACES[name][0]:
        for level in [9] if name == "rand_augment" else range(31):
            for after in changed(name, image, operation, level):
                yield operation, after


@pytest.mark.parametrize("name", SPACES)
def test_policy_makes_what_torchvision_may_make(name, rng):
    image = images(1, 3, 16, 16)
    config = {"name": name, "count": 1} if name == "rand_augment" else {"name": name}
    after = AUGMENTATIONS.build(resolve(AUGMENTATIONS, config))(image.expand(400, 3, 16, 16), rng)
    kinds, candidates = zip(*outcomes(name, image[0]), strict=True)
    differences = torch.cdist(after.flatten(1).float(), torch.stack(candidates).flatten(1).float(), p=1) / 768
    nearest = differences.min(dim=1)
    assert (nearest.values < 0.05).all()
    found = Counter(kinds[index] for index in nearest.indices.tolist())
    if name == "rand_augment":  # where no two operations give the same: all as often
        assert stats.chisquare([found[kind] for kind in SPACES[name][0]]).pvalue > 1e-3
    elif name == "trivial_augment_wide":
        assert set(found) == set(kinds)
