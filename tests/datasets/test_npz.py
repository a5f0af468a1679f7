from __future__ import annotations

import numpy as np
import pytest

from tuner.datasets.npz import npz

DRAW = np.random.default_rng(0)
GRAY = DRAW.integers(0, 256, (40, 5, 6), dtype=np.uint8)
COLOUR = DRAW.integers(0, 256, (40, 5, 6, 3), dtype=np.uint8)
LABELS = np.arange(40) % 4


@pytest.fixture
def load(tmp_path):
    def load(layout="auto", **arrays):
        path = tmp_path / "own.npz"
        np.savez(path, **arrays)
        return npz(path=str(path), layout=layout)

    return load


def with_test(images, labels=LABELS):
    return {"images": images, "labels": labels, "test_images": images, "test_labels": labels}


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (GRAY, GRAY[:, None]),
        (COLOUR, COLOUR.transpose(0, 3, 1, 2)),
        (COLOUR.transpose(0, 3, 1, 2), COLOUR.transpose(0, 3, 1, 2)),
        (GRAY[..., None], GRAY[:, None]),
    ],
    ids=["n h w", "n h w c", "n c h w", "n h w 1"],
)
def test_every_layout_becomes_channels_first(load, images, expected):
    dataset = load(**with_test(images))
    assert np.array_equal(dataset.training.images, expected)
    assert np.array_equal(dataset.load_test().images, expected)
    assert dataset.classes == ("0", "1", "2", "3")


def test_keras_names_and_a_column_of_labels_are_taken(load):
    dataset = load(x_train=COLOUR, y_train=LABELS[:, None], x_test=COLOUR, y_test=LABELS[:, None].astype(np.uint8))
    assert dataset.training.labels.tolist() == LABELS.tolist()
    assert dataset.load_test().labels.dtype == np.int64


def test_an_ambiguous_layout_is_asked_for_and_then_obeyed(load):
    both = COLOUR[:, :3, :4]
    with pytest.raises(ValueError, match=r"\(40, 3, 4, 3\), with 1 or 3 channels at both ends; set layout"):
        load(**with_test(both))
    assert load("channels_last", **with_test(both)).training.images.shape == (40, 3, 3, 4)
    assert load("channels_first", **with_test(both)).training.images.shape == (40, 3, 4, 3)


def test_without_test_arrays_a_stratified_part_is_held_out(load):
    dataset = load(images=COLOUR, labels=LABELS)
    test = dataset.load_test()
    assert (len(dataset.training), len(test)) == (34, 6)
    together = np.concatenate([dataset.training.images, test.images])
    assert sorted(map(bytes, together)) == sorted(map(bytes, COLOUR.transpose(0, 3, 1, 2).copy()))


def test_bad_test_arrays_are_found_only_when_the_test_split_is_opened(load):
    dataset = load(images=COLOUR, labels=LABELS, test_images=COLOUR, test_labels=LABELS + 1)
    with pytest.raises(ValueError, match=r"test_labels of .* goes up to 4, training labels to 3"):
        dataset.load_test()
    dataset = load(images=COLOUR, labels=LABELS, test_images=GRAY, test_labels=LABELS)
    with pytest.raises(ValueError, match=r"test images of .* have the shape"):
        dataset.load_test()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": COLOUR / 255, "labels": LABELS}, "must be uint8 in 0 to 255, got float64"),
        ({"images": COLOUR, "labels": LABELS * 1.0}, "must be whole numbers, got float64"),
        ({"images": COLOUR, "labels": LABELS - 1}, "must count from 0, got -1"),
        ({"images": COLOUR, "labels": LABELS * 2}, "must be 0 to 3 for its 4 classes, got 0, 2, 4, 6"),
        ({"images": COLOUR, "labels": LABELS * 0}, "one class only, label 0"),
        ({"images": COLOUR, "labels": LABELS[1:]}, "40 images in images and 39 labels in labels"),
        ({"images": COLOUR[:0], "labels": LABELS[:0]}, "0 images in images"),
        ({"images": COLOUR[0, 0], "labels": LABELS}, r"must be \[n, h, w\].* got the shape \(6, 3\)"),
        ({"images": COLOUR[..., :2], "labels": LABELS}, "channels at neither end"),
        ({"images": COLOUR, "labels": np.eye(40, dtype=int)}, r"one number an image, \[n\], got the shape"),
        ({"pictures": COLOUR, "labels": LABELS}, "needs the arrays images and labels .* has pictures, labels"),
        ({"images": COLOUR, "labels": LABELS.astype(object)}, "labels of .* cannot be read: Object arrays"),
    ],
)
def test_arrays_that_are_no_images_or_labels_are_refused(load, arrays, message):
    with pytest.raises(ValueError, match=message):
        load(**arrays)


def test_a_path_that_is_no_npz_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"path .* is missing; wanted a .npz file"):
        npz(path=str(tmp_path / "absent.npz"))
    with pytest.raises(ValueError, match="is a folder"):
        npz(path=str(tmp_path))
    (tmp_path / "text.npz").write_text("no arrays")
    with pytest.raises(ValueError, match=r"is no whole .npz file"):
        npz(path=str(tmp_path / "text.npz"))
