from __future__ import annotations

from pathlib import Path

import pytest

from tuner.datasets.cache import cache_folder, locked, write_atomically


def test_the_cache_lies_under_tuner_home(home):
    assert cache_folder() == home / "cache"


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, lambda file: file.write(b"old"))

    def half(file):
        file.write(b"ne")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, half)
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_a_lock_makes_its_folder(tmp_path):
    with locked(tmp_path / "a" / "b"):
        assert Path(tmp_path / "a" / "b").is_dir()
