"""FashionMNIST, read from the four files its authors publish: Debian's package, a given folder, or a download."""

from __future__ import annotations

import gzip
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from tuner.datasets.base import Dataset, Examples
from tuner.datasets.cache import cache_folder
from tuner.datasets.download import download_once, is_whole

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

_TRAINING = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
_TEST = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
_UNSIGNED_BYTE = 8


def fashion_mnist(*, root: str | None = None) -> Dataset:
    """Zalando's articles, 60,000 + 10,000 gray images of 28x28, 10 classes.

    Read from `root`, or else from Debian's package dataset-fashion-mnist, or else downloaded to TUNER_HOME/cache.

    Raises:
        ValueError: `root` lacks the files, or one is damaged.
        ServiceError: the download failed.

    Source: Xiao et al. 2017 (arXiv 1708.07747).
    """
    folder = _downloaded() if root is None and not _has_training(DEBIAN_FOLDER) else Path(root or DEBIAN_FOLDER)
    folder = folder.expanduser()
    if not _has_training(folder):
        raise ValueError(
            f"root {folder} has no {' and '.join(_TRAINING)}; give the folder of those files, or leave root out "
            f"to use Debian's package dataset-fashion-mnist or a download"
        )
    return Dataset(CLASSES, _read(folder, _TRAINING), partial(_read, folder, _TEST))


def _has_training(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _TRAINING)


def _downloaded() -> Path:
    from torchvision.datasets import FashionMNIST
    from torchvision.datasets.utils import download_url

    folder = cache_folder() / "fashion_mnist"
    published = dict(FashionMNIST.resources)

    def is_complete() -> bool:
        return all(is_whole(folder / name, published[name]) for name in _TRAINING)

    def fetch() -> None:
        for name, md5 in published.items():
            download_url(FashionMNIST.mirrors[0] + name, folder, md5=md5)

    download_once(
        folder,
        is_complete=is_complete,
        fetch=fetch,
        otherwise="install Debian's package (apt install dataset-fashion-mnist), or try again with a network",
    )
    return folder


def _read(folder: Path, names: tuple[str, str]) -> Examples:
    images, labels = (_read_idx(folder / name) for name in names)
    if images.ndim != 3 or labels.shape != images.shape[:1] or labels.max(initial=0) >= len(CLASSES):
        raise ValueError(
            f"{' and '.join(names)} in {folder} do not belong together: "
            f"images have the shape {images.shape}, labels {labels.shape}"
        )
    return Examples(images[:, np.newaxis].copy(), labels.astype(np.int64))


def _read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file: two zeros, the type, the number of axes, each axis as a big-endian uint32, the bytes."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read ({error}); fetch it again") from error
    axes = content[3] if content[:3] == bytes([0, 0, _UNSIGNED_BYTE]) else 0
    start = 4 + 4 * axes
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4))
    if not axes or len(content) != start + int(np.prod(shape)):
        raise ValueError(f"{path} is no whole IDX file of bytes; fetch it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
