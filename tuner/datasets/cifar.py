"""CIFAR-10 and CIFAR-100, read batch by batch so that the test batch stays shut until it is asked for."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tuner.datasets.base import Dataset, Examples
from tuner.datasets.cache import cache_folder
from tuner.datasets.download import download_once, has_digest, is_whole

_SHAPE = (3, 32, 32)


def cifar10(*, root: str | None = None) -> Dataset:
    """CIFAR-10, 50,000 + 10,000 colour images of 32x32, 10 classes.

    Read from `root`, the folder that holds `cifar-10-batches-py`, or else downloaded to TUNER_HOME/cache.

    Raises:
        ValueError: `root` lacks a file, or one is damaged.
        ServiceError: the download failed.

    Source: Krizhevsky 2009, Learning multiple layers of features from tiny images.
    """
    from torchvision.datasets import CIFAR10

    return _load(CIFAR10, root, "labels")


def cifar100(*, root: str | None = None) -> Dataset:
    """CIFAR-100, 50,000 + 10,000 colour images of 32x32, 100 classes.

    Read from `root`, the folder that holds `cifar-100-python`, or else downloaded to TUNER_HOME/cache.

    Raises:
        ValueError: `root` lacks a file, or one is damaged.
        ServiceError: the download failed.

    Source: Krizhevsky 2009, Learning multiple layers of features from tiny images.
    """
    from torchvision.datasets import CIFAR100

    return _load(CIFAR100, root, "fine_labels")


def _load(published: Any, root: str | None, label_key: str) -> Dataset:
    """Load what torchvision's class describes: its files and their digests."""
    folder = _downloaded(published) if root is None else Path(root).expanduser()
    folder = folder / published.base_folder
    classes = _read(folder / published.meta["filename"], published.meta["md5"])[published.meta["key"]]
    training = read_batches(folder, published.train_list, label_key)
    return Dataset(tuple(classes), training, partial(read_batches, folder, published.test_list, label_key))


def read_batches(folder: Path, batches: Sequence[Sequence[str]], label_key: str) -> Examples:
    """Return the examples of some batch files, each given as (file name, MD5).

    Raises:
        ValueError: a file is missing or damaged.
    """
    contents = [_read(folder / name, md5) for name, md5 in batches]
    images = np.concatenate([content["data"] for content in contents]).reshape(-1, *_SHAPE)
    return Examples(images, np.concatenate([content[label_key] for content in contents]).astype(np.int64))


def _read(path: Path, md5: str) -> dict[str, Any]:
    """Unpickle one file, its digest first: a pickle that is not the published one could run anything."""
    if not path.is_file():
        raise ValueError(f"{path} is missing; name the folder that holds {path.parent.name} as root, or leave root out")
    content = path.read_bytes()
    if not has_digest(content, md5):
        raise ValueError(f"{path} is damaged or not the published file; fetch it again, or leave root out")
    read: dict[str, Any] = pickle.loads(content, encoding="latin1")
    return read


def _downloaded(published: Any) -> Path:
    from torchvision.datasets.utils import download_and_extract_archive

    folder = cache_folder() / "cifar"
    needed = [*published.train_list, (published.meta["filename"], published.meta["md5"])]

    def is_complete() -> bool:
        return all(is_whole(folder / published.base_folder / name, md5) for name, md5 in needed)

    def fetch() -> None:
        download_and_extract_archive(published.url, folder, filename=published.filename, md5=published.tgz_md5)

    download_once(
        folder,
        is_complete=is_complete,
        fetch=fetch,
        otherwise=f"try again with a network, or unpack {published.filename} yourself and name its folder as root",
    )
    return folder
