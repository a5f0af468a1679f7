from __future__ import annotations

import gzip
import sys

import numpy as np
import pytest

from tuner.datasets.fashion_mnist import DEBIAN_FOLDER, fashion_mnist
from tuner.errors import ServiceError

IMAGES = np.arange(20 * 4 * 3, dtype=np.uint8).reshape(20, 4, 3)
LABELS = np.arange(20, dtype=np.uint8) % 10


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(length.to_bytes(4, "big") for length in array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


@pytest.fixture
def root(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", IMAGES)
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", LABELS)
    return tmp_path


def test_idx_files_are_read_row_by_row_and_test_files_are_not_needed(root):
    training = fashion_mnist(root=str(root)).training
    assert np.array_equal(training.images[:, 0], IMAGES)
    assert training.labels.tolist() == LABELS.tolist()


def test_a_root_without_the_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no train-images-idx3-ubyte.gz and .* leave root out"):
        fashion_mnist(root=str(tmp_path))


def test_a_damaged_file_is_named(root):
    path = root / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte.gz cannot be read .*fetch it again"):
        fashion_mnist(root=str(root))


def test_a_short_file_is_named(root):
    path = root / "train-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    with pytest.raises(ValueError, match=r"train-labels-idx1-ubyte.gz is no whole IDX file"):
        fashion_mnist(root=str(root))


def test_labels_of_another_length_are_refused(root):
    write_idx(root / "train-labels-idx1-ubyte.gz", LABELS[:-1])
    with pytest.raises(ValueError, match="do not belong together"):
        fashion_mnist(root=str(root))


def test_without_package_and_network_the_error_names_both_ways(monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules["tuner.datasets.fashion_mnist"], "DEBIAN_FOLDER", tmp_path / "absent")
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nobody answers
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ServiceError, match=r"could not download .*apt install dataset-fashion-mnist.*network"):
        fashion_mnist()


@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_debian_files_hold_60_000_images():
    training = fashion_mnist().training
    assert training.images.shape == (60_000, 1, 28, 28)
    assert np.bincount(training.labels).tolist() == [6_000] * 10
    assert round(training.images.mean() / 255, 4) == 0.2860  # as published for the training split
