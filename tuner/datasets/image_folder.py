"""Your own images: a folder with one folder of images for each class."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal
from warnings import warn

import numpy as np
from annotated_types import Ge, Le

from tuner.datasets.base import Dataset, Examples
from tuner.datasets.image_cache import load_decoded
from tuner.datasets.listing import Listing, list_images
from tuner.datasets.stratify import hold_out, listed

TEST_SHARE = 0.15

Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class Form:
    """What every image is brought to, and how many may be unreadable."""

    size: int
    channels: int
    unreadable_limit: float


def image_folder(
    *,
    path: str,
    size: Annotated[int, Ge(1)] = 32,
    channels: Literal[1, 3] = 3,
    unreadable_limit: Share = 0.05,
) -> Dataset:
    """Your own images: PATH/CLASS/*, or PATH/train/CLASS/* with PATH/test/CLASS/*.

    Each image is set upright, its shorter side resized to `size` pixels and the middle square cut out. Without a test
    folder, a fixed stratified 15 % of the files is the test split. Files that cannot be read are left out and named in
    the warnings. Decoded once, then read from TUNER_HOME/cache.

    Raises:
        ValueError: no folder, fewer than two classes, or more than a share `unreadable_limit` of unreadable files.
    """
    root, form = _existing(path), Form(size, channels, unreadable_limit)
    folder = _training_folder(root)
    listing = list_images(folder, root)
    if folder != root and (root / "test").is_dir():
        training, load_test = listing, partial(_load_test_folder, root, listing.classes, form)
    else:
        chosen, held_out = hold_out(listing.labels, listing.classes, TEST_SHARE)
        training, load_test = listing.take(chosen), partial(_load_test, listing.take(held_out), form)
    examples, warnings = _examples(training, form)
    return Dataset(listing.classes, examples, load_test, _unused(root, folder) + listing.warnings + warnings)


def _existing(path: str) -> Path:
    root = Path(path).expanduser().absolute()
    if not root.is_dir():
        state = "is a file" if root.exists() else "does not exist"
        raise ValueError(f"path {root} {state}; wanted a folder that holds one folder of images for each class")
    return root


def _training_folder(root: Path) -> Path:
    """Return `root/train` where that holds folders; a folder of images called train is a class."""
    folder = root / "train"
    if not any(item.is_dir() for item in folder.glob("[!.]*")):
        return root
    if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(root)):
        raise ValueError(f"{folder} is a link that leads out of {root}; give the folder it leads to as path")
    return folder


def _unused(root: Path, folder: Path) -> tuple[str, ...]:
    """Name the folders beside `train` that are not looked at, such as `val`."""
    if folder == root:
        return ()
    names = sorted(item.name for item in root.glob("[!.]*") if item.is_dir() and item.name not in ("train", "test"))
    if not names:
        return ()
    return (f"not used beside {folder}: {listed(names)}; validation is cut from train, by seed",)


def _examples(listing: Listing, form: Form) -> tuple[Examples, tuple[str, ...]]:
    """Return the readable images, and the warnings that name the others.

    Raises:
        ValueError: too many are unreadable.
    """
    decoded = load_decoded(listing, form.size, form.channels)
    if not decoded.unreadable:
        return Examples(decoded.images, listing.labels), decoded.warnings
    bad, total = len(decoded.unreadable), len(listing.names)
    named = listed([f"{name} ({reason})" for name, reason in decoded.unreadable.items()])
    message = f"{bad} of {total} files of {listing.folder} could not be read: {named}"
    if bad > form.unreadable_limit * total:
        raise ValueError(f"{message}; mend or remove them, or raise unreadable_limit above {bad / total:.3f}")
    readable = np.array([name not in decoded.unreadable for name in listing.names])
    return Examples(decoded.images, listing.labels[readable]), (message, *decoded.warnings)


def _load_test(listing: Listing, form: Form) -> Examples:
    """Return the images of a test listing, in memory; what could not be read or kept is a Python warning."""
    examples, warnings = _examples(listing, form)
    for message in (*listing.warnings, *warnings):
        warn(f"test split: {message}", stacklevel=2)
    return Examples(np.array(examples.images), examples.labels)


def _load_test_folder(root: Path, classes: tuple[str, ...], form: Form) -> Examples:
    listing = list_images(root / "test", root)
    unknown = sorted(set(listing.classes) - set(classes))
    if unknown:
        raise ValueError(
            f"{root / 'test'} has classes that train has not: {listed(unknown)}; known: {listed(list(classes))}"
        )
    examples = _load_test(listing, form)
    numbers = np.array([classes.index(name) for name in listing.classes], dtype=np.int64)
    return Examples(examples.images, numbers[examples.labels])
