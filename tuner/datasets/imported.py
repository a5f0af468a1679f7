"""A data set of one's own: a function anywhere on the path that returns a `Dataset`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuner.catalog import Entry, Parameter
from tuner.datasets.base import Dataset, Examples
from tuner.imported import entry_of


def imported(reference: str, taken: tuple[Parameter, ...]) -> Entry:
    """Return the entry of `package.module:function`, which loads a data set; `taken` are the cut's parameters.

    Raises:
        ValueError: it cannot be imported.
    """
    own = entry_of(reference, (), tuple(parameter.name for parameter in taken))

    def load(**parameters: Any) -> Dataset:
        dataset = own.function(**parameters)
        _check(dataset, reference)
        return dataset  # type: ignore[no-any-return]

    return Entry(load, own.parameters, own.summary)


def _check(dataset: Any, reference: str) -> None:
    """Check what the tuner's own loaders promise of themselves."""
    if not isinstance(dataset, Dataset) or not isinstance(dataset.training, Examples):
        raise ValueError(f"{reference} returns a {type(dataset).__name__}; wanted a tuner.datasets.Dataset of Examples")
    images, labels = dataset.training.images, dataset.training.labels
    if dataset.features:
        form = f"[n, {len(dataset.features)}, 1, 1], a number for each of its features"
        _check_array(images, np.float32, 4, f"images of {reference}, a table,", form)
        if images.shape[1:] != (len(dataset.features), 1, 1):
            raise ValueError(f"images of {reference}, a table, must be {form}, got the shape {list(images.shape)}")
    else:
        _check_array(images, np.uint8, 4, f"images of {reference}", "[n, channels, height, width], bytes from 0 to 255")
    is_regression = not dataset.classes
    _check_array(labels, np.float32 if is_regression else np.int64, 1, f"labels of {reference}", "[n]")
    if len(images) != len(labels) or not len(images):
        raise ValueError(f"{reference} returns {len(images)} images and {len(labels)} labels")
    if not all(np.isfinite(array).all() for array in (images, labels)):
        raise ValueError(f"{reference} returns numbers that are not finite")
    if is_regression:
        return
    if len(dataset.classes) < 2:
        raise ValueError(f"{reference} names {len(dataset.classes)} classes; a classifier needs at least 2")
    if labels.min() < 0 or labels.max() >= len(dataset.classes):
        raise ValueError(
            f"labels of {reference} must be 0 to {len(dataset.classes) - 1} for its {len(dataset.classes)} classes, "
            f"got {labels.min()} to {labels.max()}"
        )


def _check_array(array: Any, kind: type, dimensions: int, what: str, form: str) -> None:
    wanted = f"a NumPy array of {kind.__name__}, {form}"
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{what} must be {wanted}, got a {type(array).__name__}")
    if array.dtype != kind or array.ndim != dimensions:
        raise ValueError(f"{what} must be {wanted}, got {array.dtype} of the shape {list(array.shape)}")
