"""A data set with wrong labels, to see what noise does: `dataset: {import: "tuner.label_noise:with_label_noise"}`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from tuner.datasets.base import Dataset, Examples
from tuner.datasets.cifar import cifar10, cifar100
from tuner.datasets.digits import digits
from tuner.datasets.fashion_mnist import fashion_mnist

_SETS = {"digits": digits, "fashion_mnist": fashion_mnist, "cifar10": cifar10, "cifar100": cifar100}


def with_label_noise(
    *,
    of: Literal["digits", "fashion_mnist", "cifar10", "cifar100"] = "fashion_mnist",
    share: Annotated[float, Ge(0), Le(1)] = 0.4,
    noise_seed: Annotated[int, Ge(0)] = 0,
) -> Dataset:
    """A known data set of whose training labels a `share` is drawn anew, evenly from all classes; the test's are right.

    The same examples have the same wrong labels in every trial, whatever its seed.
    """
    known = _SETS[of]()
    labels, rng = known.training.labels.copy(), np.random.default_rng(noise_seed)
    wrong = rng.random(len(labels)) < share
    labels[wrong] = rng.integers(len(known.classes), size=int(wrong.sum()))
    return replace(known, training=Examples(known.training.images, labels))
