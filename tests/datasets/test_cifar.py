from __future__ import annotations

import pickle
from hashlib import md5

import numpy as np
import pytest

from tuner.datasets.cifar import cifar10, cifar100, read_batches
from tuner.errors import ServiceError


def write_batch(path, pixels, labels):
    content = pickle.dumps({"data": pixels, "labels": labels})
    path.write_bytes(content)
    return [path.name, md5(content).hexdigest()]


def test_a_row_is_the_red_then_the_green_then_the_blue_plane(tmp_path):
    red = np.zeros((1, 3072), np.uint8)
    red[:, :1024] = 255
    blue_corner = np.zeros((1, 3072), np.uint8)
    blue_corner[:, 2048 + 31] = 7  # first row, last column
    batches = [write_batch(tmp_path / "one", red, [3]), write_batch(tmp_path / "two", blue_corner, [9])]
    examples = read_batches(tmp_path, batches, "labels")
    assert examples.labels.tolist() == [3, 9]
    assert examples.images[0].mean(axis=(1, 2)).tolist() == [255, 0, 0]
    assert np.argwhere(examples.images[1]).tolist() == [[2, 0, 31]]


def test_a_file_of_another_digest_is_not_unpickled(tmp_path):
    (tmp_path / "one").write_bytes(b"cbuiltins\nexit\n.")
    with pytest.raises(ValueError, match="one is damaged or not the published file"):
        read_batches(tmp_path, [["one", "0" * 32]], "labels")


def test_a_root_without_the_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"batches.meta is missing; name the folder that holds cifar-10-batches-py"):
        cifar10(root=str(tmp_path))


def test_a_failed_download_says_what_else_to_do(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # the discard port: nobody answers
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ServiceError, match=r"could not download .*unpack cifar-100-python.tar.gz yourself"):
        cifar100()
