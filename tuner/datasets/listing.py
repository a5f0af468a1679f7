"""Which image files a folder of class folders holds; no file is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from tuner.datasets.stratify import listed

SUFFIXES = frozenset(
    [".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".tif", ".tiff", ".webp"]
)
SPLIT_NAMES = frozenset(["train", "training", "test", "testing", "val", "valid", "validation"])


@dataclass(frozen=True)
class Listing:
    """Image files of one split, sorted, their names relative to `folder`, and their labels."""

    folder: Path
    classes: tuple[str, ...]
    names: tuple[str, ...]
    labels: Int64[np.ndarray, " n"]
    warnings: tuple[str, ...] = ()

    def take(self, chosen: Bool[np.ndarray, " n"]) -> Listing:
        """Return the listing of the files that a mask names; the warnings stay with the whole."""
        names = tuple(name for name, is_chosen in zip(self.names, chosen, strict=True) if is_chosen)
        return replace(self, names=names, labels=self.labels[chosen], warnings=())


def list_images(folder: Path, root: Path) -> Listing:
    """Return the images of `folder/CLASS/**`; a link that leads out of `root` is left out and named in a warning.

    Hidden files and folders and files that are no images by their suffix are passed over.

    Raises:
        ValueError: there are fewer than two classes with images, or a folder may not be read.
    """
    found, skipped = _found(folder, root)
    classes = tuple(sorted(name for name, files in found.items() if files))
    _check_classes(folder, found, classes, skipped)
    warnings = tuple(f"class folder {name} holds no image and is left out" for name in sorted(found.keys() - classes))
    if skipped:
        warnings += (f"{len(skipped)} links were not followed: {listed(sorted(skipped))}",)
    names = tuple(file for name in classes for file in found[name])
    labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(found[name]) for name in classes])
    return Listing(folder, classes, names, labels, warnings)


def _found(folder: Path, root: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Return the image files of each class folder, and the links that were skipped."""
    skipped: list[str] = []
    try:
        names = _subfolders(folder, root, skipped)
        return {name: sorted(_walk(f"{folder}/{name}", f"{name}/", root, skipped)) for name in names}, skipped
    except OSError as error:
        raise ValueError(f"{error.filename} cannot be listed: {error.strerror}; mend its permissions") from error


def _subfolders(folder: Path, root: Path, skipped: list[str]) -> list[str]:
    names = []
    for item in os.scandir(folder):
        if item.name.startswith(".") or not item.is_dir():
            continue
        if item.is_symlink() and not _is_inside(item.path, root):
            skipped.append(f"{item.name} (leads out of {root})")
        else:
            names.append(item.name)
    return names


def _walk(folder: str, prefix: str, root: Path, skipped: list[str]) -> Iterator[str]:
    """Yield the images below `folder`, each name with `prefix` before it; plain text, as there may be a million."""
    for item in os.scandir(folder):
        name = prefix + item.name
        if item.name.startswith("."):
            continue
        if item.is_dir(follow_symlinks=False):
            yield from _walk(item.path, f"{name}/", root, skipped)
        elif item.is_symlink() and (item.is_dir() or not _is_inside(item.path, root)):
            skipped.append(f"{name} ({'a folder' if item.is_dir() else f'leads out of {root}'})")
        elif os.path.splitext(item.name)[1].lower() in SUFFIXES:
            yield name


def _is_inside(path: str, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _check_classes(folder: Path, found: dict[str, list[str]], classes: tuple[str, ...], skipped: list[str]) -> None:
    links = f" ({len(skipped)} links were not followed: {listed(sorted(skipped))})" if skipped else ""
    if not classes:
        raise ValueError(
            f"{folder} has no class folder with images in it{links}; wanted one folder a class, such as "
            f"{folder}/cat/1.jpg and {folder}/dog/1.jpg"
        )
    if {name.lower() for name in classes} <= SPLIT_NAMES:
        raise ValueError(
            f"{folder} has the folders {listed(list(classes))}, which are splits, not classes; "
            f"wanted {folder}/train/CLASS/* (and {folder}/test/CLASS/*)"
        )
    if len(classes) < 2:
        empty = listed(sorted(found.keys() - classes))
        others = f", and without images: {empty}" if empty else ""
        raise ValueError(f"{folder} has one class only, {classes[0]}{others}{links}; a classifier needs at least 2")
