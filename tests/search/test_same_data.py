"""A study goes on with the data that it began with, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.search.conftest import begin
from tuner.datasets import DATASETS
from tuner.errors import UsageError
from tuner.search import check


@pytest.fixture
def split():
    return DATASETS.build({"name": "digits", "train_examples": 60, "validation_examples": 40}, 0)


def test_the_same_data_loaded_again_are_the_same(load, split):
    study = begin(load()).study
    check.require_same_data(study, split)
    again = DATASETS.build({"name": "digits", "train_examples": 60, "validation_examples": 40}, 0)
    check.require_same_data(study, again)


@pytest.mark.parametrize("part", ["training", "validation"])
@pytest.mark.parametrize("changed", ["image", "label", "order"])
def test_data_that_changed_since_are_refused_with_the_way_out(load, split, part, changed):
    study = begin(load()).study
    check.require_same_data(study, split)
    examples = getattr(split, part).take(np.arange(len(getattr(split, part))))
    if changed == "image":
        examples.images[3, 0, 2, 2] ^= 1
    elif changed == "label":
        examples.labels[3] = (examples.labels[3] + 1) % 10
    else:
        examples = examples.take(np.array([1, 0, *range(2, len(examples))]))
    with pytest.raises(UsageError, match=r"of data set digits have changed .*--fork"):
        check.require_same_data(study, replace(split, **{part: examples}))
