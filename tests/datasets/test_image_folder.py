from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from tuner.datasets import image_cache
from tuner.datasets.cache import cache_folder
from tuner.datasets.image_folder import image_folder

COUNTS = {"cat": 20, "dog": 10}


@pytest.fixture
def root(tmp_path, write_images):
    write_images(tmp_path / "own", COUNTS)
    return tmp_path / "own"


def load(root, **more):
    return image_folder(path=str(root), **({"size": 8} | more))


def cached_files():
    return sorted(cache_folder().rglob("images.npy"))


def test_labels_are_the_sorted_folder_names_and_pixels_the_files(root):
    dataset = load(root)
    assert dataset.classes == ("cat", "dog")
    expected = {
        np.asarray(Image.open(path)).transpose(2, 0, 1).tobytes(): path.parent.name for path in root.rglob("*.png")
    }
    for part in (dataset.training, dataset.load_test()):
        for image, label in zip(part.images, part.labels, strict=True):
            assert expected.pop(image.tobytes()) == dataset.classes[label]
    assert not expected


def test_without_a_test_folder_a_stratified_15_percent_is_held_out(root):
    dataset = load(root)
    assert np.bincount(dataset.training.labels).tolist() == [17, 9]
    assert np.bincount(dataset.load_test().labels).tolist() == [3, 1]


def test_held_out_files_are_not_opened_before_the_test_is_asked_for(root):
    held_out = load(root).load_test.args[0].names
    for name in held_out:
        (root / name).write_bytes(b"")
    dataset = load(root)
    assert len(dataset.training) == 26
    assert not dataset.warnings
    with pytest.raises(ValueError, match="4 of 4 files"):
        dataset.load_test()


def test_train_and_test_folders_are_taken_as_they_are_and_val_is_not_used(tmp_path, write_images):
    write_images(tmp_path / "train", COUNTS)
    write_images(tmp_path / "test", {"dog": 3, "cat": 2}, seed=1)
    write_images(tmp_path / "val", COUNTS, seed=2)
    dataset = load(tmp_path)
    assert np.bincount(dataset.training.labels).tolist() == [20, 10]
    assert np.bincount(dataset.load_test().labels).tolist() == [2, 3]
    assert len(dataset.warnings) == 1
    assert "val; validation is cut from train" in dataset.warnings[0]


def test_a_val_folder_is_never_the_test_split(tmp_path, write_images):
    write_images(tmp_path / "train", COUNTS)
    write_images(tmp_path / "val", COUNTS, seed=2)
    dataset = load(tmp_path)
    assert (len(dataset.training), len(dataset.load_test())) == (26, 4)


def test_test_labels_follow_the_training_classes(tmp_path, write_images):
    write_images(tmp_path / "train", {"ant": 4, "cat": 4, "dog": 4})
    write_images(tmp_path / "test", {"cat": 1, "dog": 2})
    assert load(tmp_path).load_test().labels.tolist() == [1, 2, 2]
    write_images(tmp_path / "test", {"eel": 1})
    with pytest.raises(ValueError, match="classes that train has not: eel"):
        load(tmp_path).load_test()


def test_a_folder_of_images_called_train_is_a_class(tmp_path, write_images):
    write_images(tmp_path, {"bus": 5, "train": 5})
    assert load(tmp_path).classes == ("bus", "train")


def test_the_second_load_decodes_nothing(root, monkeypatch):
    first = load(root)
    monkeypatch.setattr(image_cache, "decoded", None)
    second = load(root)
    assert np.array_equal(first.training.images, second.training.images)


def test_a_changed_file_or_form_is_decoded_anew(root):
    before = load(root).training.images.copy()
    kept = load(root).load_test.args[0].names
    changed = next(path for path in sorted(root.rglob("*.png")) if path.relative_to(root).as_posix() not in kept)
    Image.new("RGB", (8, 8), "white").save(changed)
    assert (load(root).training.images[0] == 255).all()
    assert (before[0] != 255).any()
    assert load(root, size=4).training.images.shape == (26, 3, 4, 4)
    assert load(root, channels=1).training.images.shape == (26, 1, 8, 8)
    assert len(cached_files()) == 4


def test_a_file_rewritten_at_the_same_length_is_decoded_anew(tmp_path):
    for number, name in enumerate(["cat", "cat", "dog", "dog"]):
        (tmp_path / "train" / name).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), "black").save(tmp_path / "train" / name / f"{number}.bmp")
    (tmp_path / "test").mkdir()
    assert load(tmp_path).training.images.max() == 0
    changed = tmp_path / "train" / "cat" / "0.bmp"
    length = changed.stat().st_size
    Image.new("RGB", (8, 8), "white").save(changed)
    assert changed.stat().st_size == length
    assert (load(tmp_path).training.images[0] == 255).all()


def test_a_truncated_cache_is_made_again(root):
    before = load(root).training.images.copy()
    (kept,) = cached_files()
    os.truncate(kept, kept.stat().st_size // 2)
    assert np.array_equal(load(root).training.images, before)
    assert np.array_equal(np.load(kept), before)


def test_a_cache_that_cannot_be_written_is_a_warning(root, home):
    (home / "cache").write_text("a file where the folder should be")
    dataset = load(root)
    assert len(dataset.training) == 26
    assert "could not be kept" in dataset.warnings[0]


def test_unreadable_files_are_left_out_counted_and_named_also_from_the_cache(tmp_path, write_images):
    write_images(tmp_path / "train", {"cat": 60, "dog": 60})
    write_images(tmp_path / "test", {"cat": 2, "dog": 2})
    (tmp_path / "train" / "cat" / "003.png").write_bytes(b"")
    path = tmp_path / "train" / "dog" / "007.png"
    path.write_bytes(path.read_bytes()[:100])
    for _ in range(2):
        dataset = load(tmp_path)
        assert np.bincount(dataset.training.labels).tolist() == [59, 59]
        (warning,) = dataset.warnings
        assert "2 of 120 files" in warning
        assert "cat/003.png (the file is empty), dog/007.png (" in warning


def test_too_many_unreadable_files_are_refused(root):
    for number in range(3):
        (root / "cat" / f"{number:03}.png").write_bytes(b"no image")
    with pytest.raises(
        ValueError, match=r"of 2\d files .* could not be read: .*no image of a known format.*raise unreadable_limit"
    ):
        load(root)
    assert load(root, unreadable_limit=0.5).warnings


def test_unreadable_test_files_are_a_warning_when_the_test_split_is_opened(tmp_path, write_images):
    write_images(tmp_path / "train", COUNTS)
    write_images(tmp_path / "test", {"cat": 20, "dog": 20})
    (tmp_path / "test" / "cat" / "000.png").write_bytes(b"")
    dataset = load(tmp_path)
    with pytest.warns(UserWarning, match="test split: 1 of 40 files"):
        assert len(dataset.load_test()) == 39


def test_other_files_and_hidden_ones_are_passed_over(root):
    (root / "cat" / "notes.txt").write_text("not an image")
    (root / "cat" / ".hidden.png").write_bytes(b"")
    (root / ".git").mkdir()
    (root / "readme.md").write_text("about")
    dataset = load(root)
    assert len(dataset.training) == 26
    assert not dataset.warnings


def test_an_empty_class_folder_is_named(root):
    (root / "emu").mkdir()
    dataset = load(root)
    assert dataset.classes == ("cat", "dog")
    assert dataset.warnings == ("class folder emu holds no image and is left out",)


def test_links_out_of_the_folder_are_skipped_with_a_warning(root, tmp_path, write_images):
    write_images(tmp_path / "elsewhere", {"emu": 5})
    (root / "emu").symlink_to(tmp_path / "elsewhere" / "emu")
    (root / "cat" / "a.png").symlink_to(tmp_path / "elsewhere" / "emu" / "000.png")
    (root / "cat" / "loop").symlink_to(root)
    dataset = load(root)
    assert dataset.classes == ("cat", "dog")
    assert len(dataset.training) + len(dataset.load_test()) == 30
    (warning,) = dataset.warnings
    assert warning.startswith("3 links were not followed: cat/a.png (leads out of ")
    assert "cat/loop (a folder)" in warning


def test_a_link_within_the_folder_is_an_image_like_any_other(root):
    (root / "cat" / "link.png").symlink_to(root / "cat" / "000.png")
    dataset = load(root)
    assert len(dataset.training) + len(dataset.load_test()) == 31


def test_a_training_folder_that_leads_elsewhere_is_refused(tmp_path, write_images):
    write_images(tmp_path / "elsewhere", COUNTS)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "train").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"train is a link that leads out of .* give the folder it leads to as path"):
        load(tmp_path / "own")


def test_a_path_without_classes_is_refused(tmp_path, write_images):
    with pytest.raises(ValueError, match=r"absent does not exist; wanted a folder"):
        load(tmp_path / "absent")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"file is a file; wanted a folder"):
        load(tmp_path / "file")
    with pytest.raises(ValueError, match="has no class folder with images"):
        load(tmp_path)
    write_images(tmp_path, {"cat": 3})
    with pytest.raises(ValueError, match="one class only, cat"):
        load(tmp_path)


def test_splits_are_not_taken_for_classes(tmp_path, write_images):
    write_images(tmp_path, {"train": 5, "test": 5})
    with pytest.raises(ValueError, match=r"test, train, which are splits, not classes; wanted .*/train/CLASS"):
        load(tmp_path)


def test_a_class_of_one_image_is_refused_with_its_name(root, write_images):
    write_images(root, {"emu": 1})
    with pytest.raises(ValueError, match=r"at least 2 examples.*held-out test split.*emu has 1"):
        load(root)
