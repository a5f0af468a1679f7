"""Basic augmentation of a batch of bytes on its device, before mixing: each example is drawn on its own.

An augmentation takes uint8 images [batch, c, h, w] and a generator on the CPU, keeps shape and type, does not write to
its input, and draws from nothing but the generator. torchvision's transforms draw from torch's global state, and once
for all the images that they are given.
"""

from __future__ import annotations

from tuner.catalog import Table, entry
from tuner.training.augment.base import Augmentation
from tuner.training.augment.blur import gaussian_blur
from tuner.training.augment.boxes import random_erasing, random_resized_crop
from tuner.training.augment.colour import color_jitter, gaussian_noise
from tuner.training.augment.geometry import affine, elastic, rotation
from tuner.training.augment.policies import auto_augment, rand_augment, trivial_augment_wide
from tuner.training.augment.shift import flip, padded_crop

__all__ = ["AUGMENTATIONS", "Augmentation", "flip", "padded_crop"]

_FUNCTIONS = (
    flip,
    padded_crop,
    random_resized_crop,
    rotation,
    affine,
    elastic,
    color_jitter,
    gaussian_noise,
    gaussian_blur,
    random_erasing,
    auto_augment,
    rand_augment,
    trivial_augment_wide,
)
AUGMENTATIONS = Table("augmentation", {function.__name__: entry(function) for function in _FUNCTIONS})
