"""Cut validation from the training split, by seed; the test split is not touched."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated

import numpy as np
from annotated_types import Ge

from tuner.datasets.base import Dataset, Examples, Split
from tuner.datasets.stratify import keep, set_apart, strata

VALIDATION_PERCENT = 15
VALIDATION_LIMIT = 10_000
"""10,000 examples tell accuracies apart to about 0.3 points (one standard error at 90 %); more would cost training."""

_VALIDATION_DRAW, _SUBSET_DRAW = 0, 1
_OURS = 0x53504C54  # "SPLT": no stream that a data set's own code is likely to draw from, which a bare seed's would be
_ONE = {"images": "a training image", "rows": "a training row"}


def cut(
    name: str,
    dataset: Dataset,
    seed: int,
    *,
    train_examples: Annotated[int, Ge(1)] | None = None,
    validation_examples: Annotated[int, Ge(1)] | None = None,
) -> Split:
    """Return the data set with its validation examples cut off, and `train_examples` kept of the rest.

    Both draws are stratified: class shares are kept to within one example, and those of a regression's quantiles (ten,
    where there are enough examples). The cut depends on `seed` and `validation_examples` only, so the validation
    examples stay the same whatever `train_examples` is. `None` stands for 15 % of the training split, at most 10,000,
    and for all of the rest.

    Raises:
        ValueError: a number is larger than what there is, or a class is too small to be in both parts.
    """
    whole = dataset.training
    count = _default_validation(dataset) if validation_examples is None else validation_examples
    labels, classes = strata(whole.labels, dataset.classes, min(count, len(whole) - count))
    is_validation = set_apart(labels, classes, count, _bits(seed, _VALIDATION_DRAW), "validation")
    remaining = np.flatnonzero(~is_validation)
    if train_examples is not None:
        _check_train_examples(train_examples, len(whole), count)
        labels, classes = strata(whole.labels[remaining], dataset.classes, train_examples)
        remaining = remaining[keep(labels, classes, train_examples, _bits(seed, _SUBSET_DRAW))]
    training, validation = whole.take(remaining), whole.take(is_validation)
    warnings = dataset.warnings + _overlap_warning(training, validation, "rows" if dataset.features else "images")
    return Split(name, dataset.classes, training, validation, dataset.load_test, warnings, dataset.features)


def _default_validation(dataset: Dataset) -> int:
    share = len(dataset.training) * VALIDATION_PERCENT // 100
    return max(len(dataset.classes), min(VALIDATION_LIMIT, share), 1)


def _bits(seed: int, draw: int) -> np.random.PCG64:
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(_OURS, draw)))


def _check_train_examples(train_examples: int, whole: int, validation: int) -> None:
    if train_examples > whole - validation:
        raise ValueError(
            f"train_examples is {train_examples}, but of {whole} training examples {whole - validation} are left after "
            f"{validation} for validation; lower train_examples or validation_examples"
        )


def _overlap_warning(training: Examples, validation: Examples, what: str) -> tuple[str, ...]:
    """Say how many validation images are also training images, byte for byte; or rows of a table."""
    trained = {_digest(image) for image in training.images}
    count = sum(_digest(image) in trained for image in validation.images)
    if not count:
        return ()
    return (
        f"{count} of {len(validation)} validation {what} are identical to {_ONE[what]}; validation scores read too "
        f"good by as much as they are learnt by heart",
    )


def _digest(image: np.ndarray) -> bytes:
    return blake2b(image.data, digest_size=16).digest()
