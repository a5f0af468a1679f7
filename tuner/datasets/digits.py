"""Handwritten digits, 1,797 gray images of 8x8 pixels, which come with scikit-learn."""

from __future__ import annotations

import numpy as np

from tuner.datasets.base import Dataset, Examples
from tuner.datasets.stratify import hold_out

TEST_SHARE = 0.2
_BRIGHTEST = 16


def digits() -> Dataset:
    """scikit-learn's handwritten digits, 8x8 gray, 10 classes; no download; a fixed fifth is the test split."""
    training, _ = _halves()
    return Dataset(_CLASSES, training, load_test)


def load_test() -> Examples:
    """Return the 359 held-out digits."""
    return _halves()[1]


_CLASSES = tuple("0123456789")


def _halves() -> tuple[Examples, Examples]:
    from sklearn.datasets import load_digits

    loaded = load_digits()
    labels = loaded.target.astype(np.int64)
    images = np.rint(loaded.images * (255 / _BRIGHTEST)).astype(np.uint8)[:, np.newaxis]
    whole = Examples(images, labels)
    training, test = hold_out(labels, _CLASSES, TEST_SHARE)
    return whole.take(training), whole.take(test)
