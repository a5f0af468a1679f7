"""A data set of one's own is cut and checked as the tuner's own are."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pytest

from tuner.catalog import resolve
from tuner.datasets import DATASETS, Dataset, Examples, Feature, Split
from tuner.datasets.imported import _check
from tuner.errors import ConfigError

MODULE = '''
import numpy as np
from tuner.datasets import Dataset, Examples

def some(count, seed):
    images = np.random.default_rng(seed).integers(0, 256, (count, 3, 6, 5), dtype=np.uint8)
    return Examples(images, np.arange(count) % 2)

def held_out():
    return some(10, 1)

def stripes(*, count: int = 40):
    """Noise of two classes."""
    return Dataset(("up", "across"), some(count, 0), held_out)

def nothing(): return None
'''


@pytest.fixture(scope="module", autouse=True)
def _own_module(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "data_of_mine.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield
    del sys.modules["data_of_mine"]


def loaded(function: str = "stripes", seed: int = 0, **parameters: Any) -> Split:
    return DATASETS.build(resolve(DATASETS, {"import": f"data_of_mine:{function}", **parameters}), seed)


def test_own_parameters_and_those_of_the_cut_are_set_together():
    split = loaded(count=50, validation_examples=10, train_examples=20)
    assert split.name == "data_of_mine:stripes"
    assert (len(split.training), len(split.validation), len(split.load_test())) == (20, 10, 10)
    with pytest.raises(
        ConfigError, match="unknown key 'cuont' of data_of_mine:stripes; allowed: count, train_examples"
    ):
        loaded(cuont=3)


def test_cut_depends_on_the_seed_alone():
    first, second, other = loaded(), loaded(), loaded(seed=1)
    assert np.array_equal(first.validation.images, second.validation.images)
    assert not np.array_equal(first.validation.images, other.validation.images)


def test_split_travels_to_another_process():
    assert len(pickle.loads(pickle.dumps(loaded())).load_test()) == 10


def test_function_that_returns_no_dataset_is_refused():
    with pytest.raises(ValueError, match=r"data_of_mine:nothing returns a NoneType; wanted a tuner\.datasets\.Dataset"):
        loaded("nothing")


IMAGES, LABELS = np.zeros((4, 1, 2, 2), np.uint8), np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("images", "labels", "classes", "words"),
    [
        (
            IMAGES.tolist(),
            LABELS,
            "ab",
            r"images of own must be a NumPy array of uint8, .* bytes from 0 to 255, got a list",
        ),
        (IMAGES / 255, LABELS, "ab", r"must be a NumPy array of uint8, .*, got float64 of the shape \[4, 1, 2, 2\]"),
        (IMAGES[:, 0], LABELS, "ab", r"\[n, channels, height, width\], .* got uint8 of the shape \[4, 2, 2\]"),
        (IMAGES, LABELS.astype(np.int32), "ab", r"labels of own must be a NumPy array of int64, \[n\], got int32"),
        (IMAGES, LABELS[:3], "ab", "own returns 4 images and 3 labels"),
        (IMAGES, LABELS, "a", "own names 1 classes; a classifier needs at least 2"),
        (IMAGES, LABELS + 1, "ab", "labels of own must be 0 to 1 for its 2 classes, got 1 to 2"),
    ],
)
def test_examples_of_another_form_are_refused_with_what_was_wanted(images, labels, classes, words):
    training = unchecked(Examples, images=images, labels=labels)
    with pytest.raises(ValueError, match=words):
        _check(unchecked(Dataset, training=training, classes=tuple(classes), features=()), "own")


ROWS, NUMBERS = np.zeros((4, 2, 1, 1), np.float32), np.array([0.5, 1, 2, 9], np.float32)
FEATURES = (Feature("x"), Feature("y"))


@pytest.mark.parametrize(
    ("images", "labels", "classes", "words"),
    [
        (ROWS, LABELS, "ab", ""),
        (ROWS, NUMBERS, "", ""),
        (
            ROWS[:, :, 0, 0],
            NUMBERS,
            "",
            r"images of own, a table, must be .* float32, \[n, 2, 1, 1\], a number",
        ),
        (ROWS[:, :1], NUMBERS, "", r"must be \[n, 2, 1, 1\], .* got the shape \[4, 1, 1, 1\]"),
        (ROWS.astype(np.float64), NUMBERS, "", "NumPy array of float32, .* got float64"),
        (ROWS, LABELS, "", r"labels of own must be a NumPy array of float32, \[n\], got int64"),
        (ROWS, NUMBERS, "ab", r"labels of own must be a NumPy array of int64, \[n\], got float32"),
        (ROWS, np.append(NUMBERS[:3], np.float32("nan")), "", "own returns numbers that are not finite"),
    ],
)
def test_rows_of_a_table_and_numbers_as_labels_have_their_form(images, labels, classes, words):
    training = unchecked(Examples, images=images, labels=labels)
    own = unchecked(Dataset, training=training, classes=tuple(classes), features=FEATURES)
    if not words:
        _check(own, "own")
        return
    with pytest.raises(ValueError, match=words):
        _check(own, "own")


def unchecked(kind: type, **values: Any) -> Any:
    """Return what a user can make, and this test run's type checker would refuse."""
    made = object.__new__(kind)
    made.__dict__.update(values)
    return made
