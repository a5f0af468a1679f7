"""Studies on disk: one name, one study."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest

from tests.search.conftest import again, begin, drive, metrics, rising
from tuner.errors import ServiceError, UsageError
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


def torn(load) -> Path:
    """A journal whose last record was cut short, as by a kill or a full disk."""
    search = begin(load())
    search.report(search.ask().number, metrics(1, 0.5))
    journal = storage.study_directory("simulated") / "journal.log"
    with journal.open("a") as file:
        file.write('{"op_code":8,"work')
    return journal


def test_a_record_cut_short_spoils_nothing_that_follows(load):
    torn(load)
    loaded = load()
    drive(again(loaded), rising)
    assert len(storage.records(storage.load("simulated"))) == 12


def test_reading_a_study_leaves_a_record_that_is_being_written(load):
    journal = torn(load)
    before = journal.read_bytes()
    assert len(storage.records(storage.load("simulated"))) == 1
    assert journal.read_bytes() == before


def test_a_full_disk_costs_the_record_and_not_the_study(load):
    search = begin(load())
    number = search.ask().number
    search.report(number, metrics(1, 0.5))
    journal = storage.study_directory("simulated") / "journal.log"
    before = journal.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limit[1]))  # ten bytes are left
    try:
        with pytest.raises(ServiceError, match="cannot be written: File too large; what stands in it is kept"):
            search.report(number, metrics(2, 0.6))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert journal.read_bytes() == before
    drive(again(load()), rising)
    assert len(storage.records(storage.load("simulated"))) == 12


def test_the_lock_of_a_killed_driver_holds_nobody_up(load):
    begin(load())
    (storage.study_directory("simulated") / "journal.log.lock").symlink_to("journal.log")
    start = time.monotonic()
    storage.mend("simulated")
    again(load()).ask()
    assert time.monotonic() - start < 10
