"""What every data set of the table promises, whatever it is."""

from __future__ import annotations

import pickle
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from tuner.catalog import resolve
from tuner.datasets import DATASETS, Examples, Split
from tuner.datasets.fashion_mnist import DEBIAN_FOLDER

NEEDS_NETWORK = {"cifar10", "cifar100"}
COUNTS = {"cat": 40, "dog": 25, "emu": 10}
OWN_TEST_FILES = ("fashion_mnist", "image_folder")

_opened: list[str] | None = None


def _note_opening(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None and isinstance(arguments[0], str):
        _opened.append(arguments[0])


sys.addaudithook(_note_opening)


@contextmanager
def opened_files() -> Iterator[list[str]]:
    global _opened  # noqa: PLW0603
    _opened = []
    yield _opened
    _opened = None


@pytest.fixture(scope="session")
def configs(tmp_path_factory, write_images) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("data")
    write_images(folder / "images" / "train", COUNTS)
    write_images(folder / "images" / "test", dict.fromkeys(COUNTS, 4), seed=1)
    images = np.random.default_rng(0).integers(0, 256, (90, 6, 7, 3), dtype=np.uint8)
    np.savez(folder / "arrays.npz", images=images, labels=np.arange(90) % 4)
    rows = (f"{row},{'abc'[row % 3]},{(row * 7) % 31 / 4}" for row in range(120))
    (folder / "table.csv").write_text("\n".join(["size,kind,price", *rows]))
    return {
        "digits": {"name": "digits"},
        "fashion_mnist": {"name": "fashion_mnist"},
        "image_folder": {"name": "image_folder", "path": str(folder / "images"), "size": 8},
        "npz": {"name": "npz", "path": str(folder / "arrays.npz")},
        "csv": {"name": "csv", "path": str(folder / "table.csv"), "target": "price"},
        **{name: {"name": name} for name in ("breast_cancer", "wine", "diabetes")},
    }


@pytest.fixture(params=sorted(set(DATASETS) - NEEDS_NETWORK))
def config(request, configs) -> dict[str, Any]:
    if request.param == "fashion_mnist" and not DEBIAN_FOLDER.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    return configs[request.param]


def build(config: dict[str, Any], seed: int = 0, **more: Any) -> Split:
    return DATASETS.build(resolve(DATASETS, config | more), seed)


_built: dict[str, Split] = {}


def built(config: dict[str, Any], seed: int = 0) -> Split:
    """The split of a seed, built once for all tests that only look at it."""
    key = f"{config} {seed}"
    if key not in _built:
        _built[key] = build(config, seed)
    return _built[key]


def multiset(*parts: Examples) -> Counter[tuple[bytes, bytes]]:
    return Counter(
        (image.tobytes(), label.tobytes())
        for part in parts
        for image, label in zip(part.images, part.labels, strict=True)
    )


def test_images_are_contiguous_bytes_or_features_with_labels_of_their_kind(config):
    split = built(config)
    test = split.load_test()
    for part in (split.training, split.validation, test, split.load_test()):
        assert part.images.flags.c_contiguous
        assert part.images.shape[1:] == split.training.images.shape[1:]
        assert part.images.flags.writeable  # else torch.from_numpy warns
        if split.features:
            assert part.images.dtype == np.float32
            assert part.images.shape[1:] == (len(split.features), 1, 1)
            assert np.isfinite(part.images).all()
        else:
            assert part.images.dtype == np.uint8
            assert part.images.shape[1] in (1, 3)
            assert part.images.max() > 200  # the whole range of a byte is used
        if split.classes:
            assert part.labels.dtype == np.int64
            assert sorted(set(part.labels.tolist())) == list(range(len(split.classes)))
        else:
            assert part.labels.dtype == np.float32
            assert len(set(part.labels.tolist())) > 5
    assert split.name == config["name"]
    assert len(set(split.classes)) == len(split.classes)
    assert len(set(split.features)) == len(split.features)


def test_the_seed_alone_decides_the_cut(config):
    first, again, other = built(config, 0), build(config, 0), built(config, 1)
    assert multiset(first.validation) == multiset(again.validation)
    assert np.array_equal(first.training.images, again.training.images)
    assert np.array_equal(first.training.labels, again.training.labels)
    assert multiset(first.validation) != multiset(other.validation)


def test_training_and_validation_share_out_the_training_split(config):
    one, other = built(config, 0), built(config, 1)
    assert multiset(one.training, one.validation) == multiset(other.training, other.validation)
    assert len(one.validation) == max(len(one.classes), (len(one.training) + len(one.validation)) * 15 // 100)


def test_class_shares_are_kept_to_within_one_example(config):
    split = build(config, validation_examples=20, train_examples=41)
    whole = built(config)
    if not split.classes:
        pytest.skip("has no classes: tests/datasets/test_stratify.py")
    sizes = np.bincount(np.concatenate([whole.training.labels, whole.validation.labels]))
    left = sizes - np.bincount(split.validation.labels)
    assert len(split.validation) == 20
    assert np.abs(np.bincount(split.validation.labels) - 20 * sizes / sizes.sum()).max() <= 1
    assert len(split.training) == 41
    assert np.abs(np.bincount(split.training.labels) - 41 * left / left.sum()).max() <= 1


def test_a_subset_keeps_validation_and_takes_from_training(config):
    whole, subset = built(config), build(config, train_examples=30)
    assert multiset(subset.validation) == multiset(whole.validation)
    assert multiset(subset.training) <= multiset(whole.training)


def test_the_test_split_is_apart_and_always_the_same(config):
    split, other = built(config, 0), built(config, 1)
    test = multiset(split.load_test())
    assert test == multiset(other.load_test())
    if config["name"] != "fashion_mnist":  # which does repeat some images
        assert not test & multiset(split.training, split.validation)


def test_a_split_travels_to_another_process(config):
    split = build(config, train_examples=30)
    arrived = pickle.loads(pickle.dumps(split))
    assert multiset(arrived.training) == multiset(split.training)
    assert multiset(arrived.load_test()) == multiset(split.load_test())


@pytest.mark.parametrize("name", OWN_TEST_FILES)
def test_no_file_of_the_test_split_is_opened_before_it_is_asked_for(name, configs):
    if name == "fashion_mnist" and not DEBIAN_FOLDER.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    root = configs[name].get("path", str(DEBIAN_FOLDER))
    with opened_files() as before:
        split = build(configs[name])
    with opened_files() as after:
        split.load_test()
    trained, tested = ({path for path in paths if path.startswith(root)} for paths in (before, after))
    assert trained
    assert tested
    assert not trained & tested


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_every_entry_has_the_common_parameters_and_says_what_it_is(name):
    parameters = [parameter.name for parameter in DATASETS[name].parameters]
    assert parameters[-2:] == ["train_examples", "validation_examples"]
    assert len(DATASETS[name].summary) > 30
