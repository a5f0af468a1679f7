from __future__ import annotations

import numpy as np
import pytest

from tuner.catalog import resolve
from tuner.datasets import DATASETS, Dataset, Examples
from tuner.datasets.split import cut
from tuner.errors import ConfigError


def dataset(images: np.ndarray, classes: int = 2) -> Dataset:
    labels = np.arange(len(images)) % classes
    return Dataset(tuple(map(str, range(classes))), Examples(images, labels), _no_test, ("said before",))


def _no_test() -> Examples:
    raise AssertionError("the cut opened the test split")


def distinct(count: int) -> np.ndarray:
    return np.arange(count, dtype=">u4").view(np.uint8).reshape(count, 1, 2, 2)


def test_validation_is_15_percent_and_at_most_10_000():
    assert len(cut("made", dataset(distinct(200)), 0).validation) == 30
    assert len(cut("made", dataset(distinct(80_000)), 0).validation) == 10_000


def test_distinct_images_give_no_warning_of_their_own():
    assert cut("made", dataset(distinct(200)), 0).warnings == ("said before",)


def test_identical_images_on_both_sides_are_counted():
    images = distinct(100)
    images[:] = images[0]
    warnings = cut("made", dataset(images), 0).warnings
    assert len(warnings) == 2
    assert "15 of 15 validation images are identical to a training image" in warnings[1]


def test_too_many_training_examples_are_refused_with_the_numbers():
    with pytest.raises(ValueError, match="train_examples is 90, but of 100 training examples 85 are left after 15"):
        cut("made", dataset(distinct(100)), 0, train_examples=90)
    assert len(cut("made", dataset(distinct(100)), 0, train_examples=85).training) == 85


def test_validation_that_leaves_nothing_to_train_on_is_refused():
    with pytest.raises(ValueError, match=r"validation cannot take 99 of 100 examples .* choose 2 to 98"):
        cut("made", dataset(distinct(100)), 0, validation_examples=99)


@pytest.mark.parametrize("value", [0, -1, 1.5, "all"])
def test_a_study_file_may_not_ask_for_less_than_one_example(value):
    with pytest.raises(ConfigError, match="train_examples: wanted a whole number >= 1 or null"):
        resolve(DATASETS, {"name": "digits", "train_examples": value})


def test_importing_the_table_imports_neither_sklearn_nor_torchvision():
    import subprocess
    import sys

    code = "import sys, tuner.datasets; sys.exit(bool({'sklearn', 'torchvision', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("seed", [0, 1, 7])
@pytest.mark.parametrize("part", ["training", "validation"])
def test_what_a_data_set_draws_by_the_same_seed_is_as_frequent_in_every_part(seed, part):
    drawn = np.random.default_rng(seed).random(4000)  # a number for each example by the set's own code, for noise say
    split = cut("made", dataset(distinct(4000)), seed, train_examples=1000, validation_examples=1000)
    numbers = getattr(split, part).images.reshape(-1, 4).copy().view(">u4").ravel()
    assert drawn[numbers].mean() == pytest.approx(0.5, abs=0.05)
