"""Studies in a PostgreSQL database: a real server, started here for these tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from tests.search.conftest import again, begin, drive, metrics, rising, train
from tuner.errors import ServiceError, UsageError
from tuner.results import StudyState
from tuner.search import database, lease, storage, stored, study
from tuner.search.cell import DatabaseCell
from tuner.search.lease import only_driver, take

PASSWORD = "open-sesame"


def binaries() -> Path | None:
    """Return the folder of initdb and postgres, which Debian keeps off the path."""
    found = [Path(shutil.which("initdb")).resolve().parent] if shutil.which("initdb") else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in found if (folder / "initdb").exists()), None)


class Server:
    """A PostgreSQL server of one's own; it will not run as root, so there it runs as the package's user."""

    def __init__(self, folder: Path) -> None:
        self.bin = binaries()
        self.folder = folder
        self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        if self.user:
            shutil.chown(folder, "postgres", "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "password").write_text(PASSWORD)
        self.call("initdb", "-A", "scram-sha-256", "-U", "tuner", f"--pwfile={folder}/password", "-D", f"{folder}/data")
        self.start()

    def call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self.user, str(self.bin / program), *arguments],
            cwd=self.folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self.call("pg_ctl", "-D", f"{self.folder}/data", "-w", "-o", options, "-l", f"{self.folder}/data/log", "start")

    def stop(self) -> None:
        self.call("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", "immediate", "stop")

    def address(self, password: str = PASSWORD, base: str = "postgres") -> str:
        return f"postgresql://tuner:{password}@127.0.0.1:{self.port}/{base}"


pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(binaries() is None, reason="no PostgreSQL here: apt-get install postgresql"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = Path("/tmp") / f"tuner-postgres-{os.getpid()}"  # above it all folders can be read by the server's user
    folder.mkdir()
    running = Server(folder)
    yield running
    running.stop()
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def _address(server, monkeypatch):
    base = f"base_{time.monotonic_ns()}"
    with psycopg.connect(server.address(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {base}")
    monkeypatch.setenv("TUNER_STORAGE_URL", server.address(base=base))
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
        there.setattr(lease, "_machine", lambda: "another")
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
