"""Studies in a PostgreSQL database: a real server, started here for these tests."""

from __future__ import annotations

import re
import threading
import time

import psycopg
import pytest
from sqlalchemy import text

from tests.search.conftest import again, begin, drive, metrics, rising, train
from tests.search.postgres import PASSWORD, binaries, running
from tuner.errors import ServiceError, UsageError
from tuner.results import StudyState
from tuner.search import database, holder, lease, patience, storage, stored, study
from tuner.search.cell import DatabaseCell
from tuner.search.lease import only_driver, take

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(binaries() is None, reason="no PostgreSQL here: apt-get install postgresql"),
]


@pytest.fixture(scope="module")
def server():
    with running() as server:
        yield server


@pytest.fixture(autouse=True)
def _address(server, monkeypatch):
    monkeypatch.setenv("TUNER_STORAGE_URL", server.address(base=server.new_base()))
    yield
    database.forget()


def facts():
    return [(r.params, r.curve, r.state, r.cause, r.seed) for r in storage.records(storage.load("simulated"))]


def test_a_study_in_the_database_is_that_of_a_journal(load, monkeypatch):
    loaded = load("search.trials=6")
    drive(begin(loaded), rising)
    in_database = facts()
    assert storage.names() == ["simulated"]
    assert not (storage.study_directory("simulated") / "journal.log").exists()
    with monkeypatch.context() as without:
        without.delenv("TUNER_STORAGE_URL")
        drive(begin(loaded), rising)
        assert facts() == in_database


def test_a_killed_study_goes_on_from_the_database(load):
    loaded = load("search.trials=5")
    search = begin(loaded)
    train(search, search.ask(), rising)
    half = search.ask()
    train(search, half, rising, upto=2)
    database.forget()  # another process has nothing in memory
    resumed = again(loaded)
    assert resumed.ask().number == half.number
    train(resumed, half, rising)
    drive(resumed, rising)
    assert [len(curve) > 0 for _, curve, *_ in facts()] == [True] * 5


def test_a_second_study_of_a_name_is_refused(load):
    begin(load())
    with pytest.raises(UsageError, match=r"exists at postgresql://127\.0\.0\.1:\d+/base_\d+; go on with"):
        storage.create("simulated", maximise=True)
    storage.delete("simulated")
    assert storage.names() == []


def test_one_driver_at_a_time_and_one_cell_for_all(monkeypatch):
    with only_driver("one"):
        assert lease.is_driven("one")
        with pytest.raises(UsageError, match="being run by process"), only_driver("one"):
            pass
    assert not lease.is_driven("one")


def test_a_silent_driver_elsewhere_is_replaced_by_the_databases_clock(monkeypatch):
    cell = DatabaseCell(database.engine(), "one")
    elsewhere = take(cell, "one", lambda: None)
    with monkeypatch.context() as there:
        there.setattr(holder, "machine", lambda: "another")
        with pytest.raises(UsageError, match="being run by"):
            take(cell, "one", lambda: None)
        time.sleep(0.6)
        assert 0.5 < cell.read().age_seconds < 30
        there.setattr(lease, "EXPIRY_SECONDS", 0.5)
        second = take(cell, "one", lambda: None)
    elsewhere.renew()
    assert (elsewhere.holds(), second.holds()) == (False, True)
    elsewhere.release()
    second.release()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside MLflow
def test_resume_finds_the_study_and_its_file_in_the_database(load):
    loaded = load("search.trials=2")
    search = begin(loaded)
    drive(search, rising)
    storage.set_state(search.study, source=loaded.source)
    assert study.resume(loaded).state is StudyState.COMPLETED
    assert stored.source("simulated") == loaded.source
    with pytest.raises(UsageError, match="epochs: was 9, is 12"):
        study.resume(load("search.trials=2", "trial.training.epochs=12"))


@pytest.mark.parametrize("wrong", ["password", "port", "base"])
def test_a_database_out_of_reach_is_said_without_the_password(server, monkeypatch, wrong):
    addresses = {
        "password": server.address("hush-hush"),
        "port": "postgresql://tuner:hush-hush@127.0.0.1:1/postgres?password=hush-hush",
        "base": server.address(base="nowhere"),
    }
    said_where = r"storage at postgresql://127\.0\.0\.1:\d+/\w+ is out of reach: "
    with monkeypatch.context() as there:
        there.setenv("TUNER_STORAGE_URL", addresses[wrong])
        with pytest.raises(ServiceError, match=said_where) as caught:
            storage.names()
    said = "".join(str(error) for error in (caught.value, caught.value.__cause__, caught.value.__context__))
    assert "hush" not in said
    assert PASSWORD not in said


def test_a_database_that_goes_away_is_a_service_error_and_one_that_comes_back_is_used(server, load):
    search = begin(load())
    number = search.ask().number
    server.stop()
    with pytest.raises(ServiceError, match="is out of reach"):
        search.report(number, metrics(1, 0.5))
    server.start()
    assert not search.report(number, metrics(1, 0.5))
    assert storage.records(storage.load("simulated"))[0].curve == (0.5,)


def test_a_study_waits_for_a_database_that_is_restarted_again_and_again_and_loses_nothing(server, load):
    loaded = load()
    drive(begin(loaded), rising)
    undisturbed = facts()
    storage.delete("simulated")
    told = []

    def disturb():
        for _ in range(4):
            server.stop()
            server.start()
            time.sleep(0.5)

    disturber = threading.Thread(target=disturb)
    search = begin(loaded)
    with database.patience(told.append):
        while not search.finished:
            if search.has_complete() and not disturber.ident:
                disturber.start()
            train(search, search.ask(), rising)
    disturber.join()
    assert facts() == undisturbed
    assert re.match(r"waiting, for 5 minutes at most: the storage at postgresql://127.*out of reach", told[0])
    assert told[1::2] == [""] * (len(told) // 2)  # told once an outage, and once that it is over


def test_who_waited_in_vain_waits_no_more_until_the_database_is_back(server, load, monkeypatch):
    monkeypatch.setattr(patience, "LONGEST_SECONDS", 2.0)
    search = begin(load())
    number = search.ask().number
    with database.patience(lambda words: None):
        server.stop()
        started = time.monotonic()
        with pytest.raises(ServiceError, match="is out of reach"):
            search.report(number, metrics(1, 0.5))
        assert time.monotonic() - started >= 2
        started = time.monotonic()
        with pytest.raises(ServiceError, match="is out of reach"):
            search.report(number, metrics(1, 0.5))
        assert time.monotonic() - started < 2
        server.start()
        assert not search.report(number, metrics(1, 0.5))


def test_a_driver_that_waited_longer_than_its_lease_lasts_keeps_it_where_nobody_took_it(server, monkeypatch):
    monkeypatch.setattr(lease, "EXPIRY_SECONDS", 0.5)
    with only_driver("one") as held, database.patience(lambda words: None):
        server.stop()
        restart = threading.Timer(1.5, server.start)
        restart.start()
        time.sleep(0.6)
        assert held.holds()
        restart.join()


def test_the_doctor_tells_an_empty_database_from_one_in_use_and_one_of_other_tables(server, load):
    assert "empty: the first study makes its tables" in database.probe()
    assert "empty" in database.probe()  # it made none
    begin(load())
    assert "tables of version" in database.probe()
    with database.engine().begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'v2.6.0.a'"))
    with pytest.raises(ServiceError, match=r"tables at postgresql://127.*of version v2\.6\.0\.a, .* upgrade"):
        database.probe()


def test_the_doctor_finds_a_user_who_may_make_no_tables(server, monkeypatch):
    base = server.new_base()
    with psycopg.connect(server.address(base=base), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS nobody")
        connection.execute(f"CREATE ROLE nobody LOGIN PASSWORD '{PASSWORD}'")
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    monkeypatch.setenv("TUNER_STORAGE_URL", server.address(base=base).replace("//tuner:", "//nobody:"))
    with pytest.raises(ServiceError, match="may not make tables"):
        database.probe()
    monkeypatch.setenv("TUNER_STORAGE_URL", server.address(base=server.new_base()))
