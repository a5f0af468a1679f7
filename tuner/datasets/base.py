"""What a loader returns and what a trial gets: images or the rows of a table as whole arrays, the test split shut."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from tuner.datasets.features import Feature


@dataclass(frozen=True)
class Examples:
    """Images or rows of a table, row by row contiguous, with their labels.

    A row of a table is an image of one pixel: `images` holds bytes [n, channels, height, width], or the features of a
    table as floats [n, features, 1, 1]. Labels are the classes from 0, or the numbers of a regression.
    """

    images: UInt8[np.ndarray, "n channels height width"] | Float32[np.ndarray, "n features 1 1"]
    labels: Int64[np.ndarray, " n"] | Float32[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: np.ndarray) -> Examples:
        """Return a copy of the examples that a boolean mask or a list of indices names, contiguous and writable."""
        return Examples(np.ascontiguousarray(self.images[chosen]), self.labels[chosen])


@dataclass(frozen=True)
class Dataset:
    """What a loader returns: the whole training split; the images may be read-only or mapped from a file.

    No `classes` means that the labels are numbers: a regression. `features` says of each feature of a table which
    column it comes from; images have none.

    `load_test` opens the test split. The confirmation calls it, once; nothing else does, and until then no file of
    the test split is read. It can be pickled, so that a data set can travel to the process that needs it.
    """

    classes: tuple[str, ...]
    training: Examples
    load_test: Callable[[], Examples]
    warnings: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a data set before it is loaded: whether its configuration says that it is a regression."""

    is_regression: Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Split:
    """What a trial gets: a data set with the validation examples cut from its training split."""

    name: str
    classes: tuple[str, ...]
    training: Examples
    validation: Examples
    load_test: Callable[[], Examples]
    warnings: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()
