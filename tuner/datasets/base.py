"""What a loader returns and what a trial gets: images as whole arrays of bytes, and a test split that stays shut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8


@dataclass(frozen=True)
class Examples:
    """Images, row by row contiguous, with their labels in [0, number of classes)."""

    images: UInt8[np.ndarray, "n channels height width"]
    labels: Int64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: np.ndarray) -> Examples:
        """Return a copy of the examples that a boolean mask or a list of indices names, contiguous and writable."""
        return Examples(np.ascontiguousarray(self.images[chosen]), self.labels[chosen])


@dataclass(frozen=True)
class Dataset:
    """What a loader returns: the whole training split; the images may be read-only or mapped from a file.

    `load_test` opens the test split. The confirmation calls it, once; nothing else does, and until then no file of
    the test split is read. It can be pickled, so that a data set can travel to the process that needs it.
    """

    classes: tuple[str, ...]
    training: Examples
    load_test: Callable[[], Examples]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Split:
    """What a trial gets: a data set with the validation examples cut from its training split."""

    name: str
    classes: tuple[str, ...]
    training: Examples
    validation: Examples
    load_test: Callable[[], Examples]
    warnings: tuple[str, ...] = ()
