"""Studies on disk: one name, one study."""

from __future__ import annotations

import pytest

from tuner.errors import UsageError
from tuner.search import storage


def test_a_second_study_of_a_name_is_refused_with_what_to_do():
    storage.create("one", maximise=True)
    with pytest.raises(UsageError, match=r"tuner resume one.*--set name=one-2"):
        storage.create("one", maximise=True)


def test_a_missing_study_is_named_beside_those_there_are():
    storage.create("one", maximise=True)
    with pytest.raises(UsageError, match=r"no study named two .* known: one"):
        storage.load("two")


def test_looking_for_a_study_makes_nothing(tmp_path):
    with pytest.raises(UsageError, match="none yet"):
        storage.load("two")
    assert not (tmp_path / "home").exists()
