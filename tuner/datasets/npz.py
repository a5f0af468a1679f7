"""Images and labels from one NumPy .npz file, in any of the usual layouts."""

from __future__ import annotations

import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int64, UInt8

from tuner.datasets.base import Dataset, Examples
from tuner.datasets.stratify import hold_out, listed

TEST_SHARE = 0.15
Layout = Literal["auto", "channels_first", "channels_last"]

_TRAINING = (("images", "labels"), ("x_train", "y_train"))
_TEST = (("test_images", "test_labels"), ("x_test", "y_test"))


def npz(*, path: str, layout: Layout = "auto") -> Dataset:
    """Your own images and labels as arrays in one .npz file.

    The arrays are `images` and `labels`, and for the test split `test_images` and `test_labels`; or `x_train`,
    `y_train`, `x_test`, `y_test`. Images are bytes, [n, h, w], [n, h, w, c] or [n, c, h, w]; labels are whole numbers
    0, 1, ... Without test arrays, a fixed stratified 15 % is the test split. `layout` says where the channels are; auto
    finds the axis of length 1 or 3.

    Raises:
        ValueError: no such file, missing arrays, or arrays that are no images or labels.
    """
    file = Path(path).expanduser().absolute()
    with _opened(file) as arrays:
        keys, test_keys = _keys(arrays, _TRAINING), _keys(arrays, _TEST)
    if keys is None:
        raise ValueError(f"{file} needs the arrays images and labels (or x_train and y_train), has {_names(file)}")
    whole = _read(file, keys, layout)
    classes = _classes(whole.labels, file)
    if test_keys is not None:
        return Dataset(classes, whole, partial(_load_test, file, test_keys, layout, classes, whole.images.shape[1:]))
    training, _ = hold_out(whole.labels, classes, TEST_SHARE)
    return Dataset(classes, whole.take(training), partial(_load_held_out, file, keys, layout, classes))


def _load_test(
    file: Path, keys: tuple[str, str], layout: Layout, classes: tuple[str, ...], shape: tuple[int, ...]
) -> Examples:
    test = _read(file, keys, layout)
    if test.images.shape[1:] != shape:
        raise ValueError(f"the test images of {file} have the shape {test.images.shape[1:]}, training images {shape}")
    if test.labels.max() >= len(classes):
        raise ValueError(f"{keys[1]} of {file} goes up to {test.labels.max()}, training labels to {len(classes) - 1}")
    return test


def _load_held_out(file: Path, keys: tuple[str, str], layout: Layout, classes: tuple[str, ...]) -> Examples:
    whole = _read(file, keys, layout)
    return whole.take(hold_out(whole.labels, classes, TEST_SHARE)[1])


def _opened(file: Path) -> np.lib.npyio.NpzFile:
    if not file.is_file():
        raise ValueError(f"path {file} is {'a folder' if file.is_dir() else 'missing'}; wanted a .npz file")
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file} is no whole .npz file; write it with numpy.savez(path, images=..., labels=...)")
    opened: np.lib.npyio.NpzFile = np.load(file, allow_pickle=False)
    return opened


def _names(file: Path) -> str:
    with _opened(file) as arrays:
        return listed(list(arrays.files)) or "none"


def _keys(arrays: np.lib.npyio.NpzFile, known: tuple[tuple[str, str], ...]) -> tuple[str, str] | None:
    return next((pair for pair in known if set(pair) <= set(arrays.files)), None)


def _read(file: Path, keys: tuple[str, str], layout: Layout) -> Examples:
    """Read one pair of arrays; the others of the file stay unread."""
    images, labels = _array(file, keys[0]), _array(file, keys[1])
    if images.dtype != np.uint8:
        raise ValueError(f"{keys[0]} of {file} must be uint8 in 0 to 255, got {images.dtype}; scale and convert it")
    first = _channels_first(images, layout, f"{keys[0]} of {file}")
    whole = _labels(labels, f"{keys[1]} of {file}")
    if len(first) != len(whole) or not first.size:
        raise ValueError(f"{file} has {len(first)} images in {keys[0]} and {len(whole)} labels in {keys[1]}")
    return Examples(first, whole)


def _array(file: Path, key: str) -> np.ndarray:
    try:
        with _opened(file) as arrays:
            return np.asarray(arrays[key])
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{key} of {file} cannot be read: {error}") from error


def _channels_first(images: UInt8[np.ndarray, "..."], layout: Layout, what: str) -> UInt8[np.ndarray, "n c h w"]:
    if images.ndim == 3:
        return np.ascontiguousarray(images[:, np.newaxis])
    if images.ndim != 4:
        raise ValueError(f"{what} must be [n, h, w], [n, h, w, c] or [n, c, h, w], got the shape {images.shape}")
    if layout == "auto":
        layout = _found_layout(images.shape, what)
    return np.ascontiguousarray(images if layout == "channels_first" else images.transpose(0, 3, 1, 2))


def _found_layout(shape: tuple[int, ...], what: str) -> Layout:
    first, last = shape[1] in (1, 3), shape[3] in (1, 3)
    if first == last:
        found = "both ends" if first else "neither end"
        raise ValueError(
            f"{what} has the shape {shape}, with 1 or 3 channels at {found}; set layout to channels_first or "
            f"channels_last"
        )
    return "channels_first" if first else "channels_last"


def _labels(labels: np.ndarray, what: str) -> Int64[np.ndarray, " n"]:
    if labels.dtype.kind not in "iu":
        raise ValueError(f"{what} must be whole numbers, got {labels.dtype}")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(f"{what} must be one number an image, [n], got the shape {labels.shape}")
    if labels.size and labels.min() < 0:
        raise ValueError(f"{what} must count from 0, got {labels.min()}")
    return labels.astype(np.int64)


def _classes(labels: Int64[np.ndarray, " n"], file: Path) -> tuple[str, ...]:
    """Name the classes 0 to the largest label; each of them has to occur."""
    present = np.unique(labels)
    if present.size < 2:
        raise ValueError(f"{file} has one class only, label {present[0]}; a classifier needs at least 2")
    if present[-1] != present.size - 1:
        raise ValueError(
            f"labels of {file} must be 0 to {present.size - 1} for its {present.size} classes, got "
            f"{listed([str(label) for label in present])}; number them from 0 without gaps"
        )
    return tuple(str(label) for label in present)
