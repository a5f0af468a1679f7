"""One driver a study: who holds it, what a second one is told, and when a dead one's place is taken."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest
from optuna.storages import RDBStorage

from tests.search.conftest import begin, metrics
from tuner.errors import StudyFailed, UsageError
from tuner.results import StudyState
from tuner.search import holder, lease, storage, stored, study
from tuner.search.cell import DatabaseCell, FileCell
from tuner.search.lease import only_driver, take
from tuner.search.queue import Claim
from tuner.search.session import Node
from tuner.search.waiting import begins

HOLD = """
import sys, time
from tuner.search.lease import only_driver
with only_driver("one"):
    print("held", flush=True)
    time.sleep(120)
"""


@pytest.fixture(params=["file", "database"])
def cell(request, tmp_path):
    if request.param == "file":
        yield FileCell(tmp_path / "driver.json")
        return
    kept = RDBStorage(f"sqlite:///{tmp_path}/optuna.db")
    yield DatabaseCell(kept.engine, "one")
    kept.engine.dispose()


@pytest.fixture
def other_driver():
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def nothing() -> None:
    """What a lease calls when it is lost, where that does not matter."""


def test_a_cell_changes_only_if_it_is_what_was_read(cell):
    assert cell.read() is None
    assert cell.replace(None, "a")
    assert not cell.replace(None, "b")
    assert not cell.replace("b", "c")
    assert cell.replace("a", "b")
    assert cell.read().text == "b"
    assert cell.read().age_seconds < 5
    assert not cell.replace("a", None)
    assert cell.replace("b", None)
    assert cell.read() is None


def test_of_many_who_take_at_once_one_succeeds(cell):
    taken, refused = [], []
    start = threading.Barrier(8)

    def try_once():
        start.wait()
        try:
            taken.append(take(cell, "one", nothing))
        except UsageError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=try_once) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(refused)) == (1, 7)
    taken[0].release()
    take(cell, "one", nothing).release()


def test_a_second_driver_is_told_who_has_the_study_and_since_when(other_driver):
    with (
        pytest.raises(UsageError, match=rf"one is being run by process {other_driver.pid} on .* since 20\d\d-"),
        only_driver("one"),
    ):
        pass
    assert lease.is_driven("one")


def test_a_driver_killed_here_is_replaced_at_once(other_driver):
    other_driver.kill()  # and not yet asked for its end, as under a parent that never does
    time.sleep(0.2)
    assert not lease.is_driven("one")
    with only_driver("one"):
        assert lease.is_driven("one")
    assert not lease.is_driven("one")


def test_a_driver_elsewhere_is_replaced_when_it_has_been_silent_for_a_minute(cell, monkeypatch):
    elsewhere = take(cell, "one", nothing)
    monkeypatch.setattr(holder, "machine", lambda: "another")
    with pytest.raises(UsageError, match="being run by"):
        take(cell, "one", nothing)
    monkeypatch.setattr(lease, "EXPIRY_SECONDS", -1.0)
    second = take(cell, "one", nothing)
    monkeypatch.undo()
    elsewhere.renew()
    assert not elsewhere.holds()
    elsewhere.release()  # takes nothing away from the new holder
    assert second.holds()
    second.renew()
    assert second.holds()
    second.release()


def test_a_sign_of_life_keeps_a_lease_young(cell, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.05)
    held = take(cell, "one", nothing)
    texts = set()
    for _ in range(40):
        texts.add(cell.read().text)
        time.sleep(0.02)
    assert len(texts) > 3
    held.release()
    assert cell.read() is None


def test_who_loses_the_lease_is_told_and_stops_writing(cell, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.05)
    told = threading.Event()
    held = take(cell, "one", told.set)
    while not cell.replace(cell.read().text, "another driver"):  # a beat may come between
        pass
    assert told.wait(5)
    assert not held.holds()


def test_a_driver_that_slept_asks_before_it_writes(cell, monkeypatch):
    held = take(cell, "one", nothing)
    cell.replace(cell.read().text, "another driver")
    assert held.holds()  # within the minute nobody may have taken it
    monkeypatch.setattr(lease, "EXPIRY_SECONDS", -1.0)
    assert not held.holds()


def test_a_search_that_lost_its_study_writes_nothing_more(load):
    ours = [True]
    search = begin(load(), is_ours=lambda: ours[0])
    assignment = search.ask()
    assert not search.report(assignment.number, metrics(1, 0.5))
    before = (storage.study_directory("simulated") / "journal.log").read_bytes()
    ours[0] = False
    assert search.report(assignment.number, metrics(2, 0.6))
    search.fail(assignment.number, "no")
    assert search.ask() is None
    assert search.finished
    assert (storage.study_directory("simulated") / "journal.log").read_bytes() == before


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside MLflow
def test_a_driver_whose_study_was_taken_over_leaves_its_state_alone(load, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_SECONDS", 1000.0)  # its thread would interrupt the tests
    loaded = load("search.trials=1")
    search = begin(loaded)
    search.report(search.ask().number, metrics(9, 0.5))
    storage.set_state(search.study, state=StudyState.RUNNING.value)

    def steal(what):
        (storage.study_directory("simulated") / "driver.json").write_text("another driver")
        monkeypatch.setattr(lease, "EXPIRY_SECONDS", -1.0)

    with pytest.raises(StudyFailed, match="another driver has taken over"):
        study.resume(loaded, begun=steal)
    assert storage.load("simulated").user_attrs["state"] == "running"


def test_a_killed_drivers_study_reads_as_interrupted(load):
    search = begin(load())
    storage.set_state(search.study, state=StudyState.RUNNING.value)
    assert stored.stored("simulated").state is StudyState.INTERRUPTED
    with only_driver("simulated"):
        assert stored.stored("simulated").state is StudyState.RUNNING


def test_process_numbers_used_again_are_not_taken_for_the_driver():
    assert holder.Holder("here", holder.machine(), os.getpid(), "1", 0.0, "key").is_gone()


def test_what_a_trial_really_takes_leaves_its_room_to_the_next_study():
    nodes = [Node(4, 1)]
    first, second = Claim("cluster", 0, 0.0, 1, 1.0), Claim("cluster", 0, 1.0, 1, 0.5)
    with only_driver("first") as held, only_driver("second") as waiting:
        held.claim(first)
        assert begins("first", held, first, nodes)
        waiting.claim(second)
        assert not begins("second", waiting, second, nodes)
        held.takes(0.25)
        assert lease.claims("cluster")["first"].gpus == 0.25
        assert begins("second", waiting, second, nodes)


def test_twenty_studies_at_once_never_have_more_than_the_places(tmp_path):
    nodes, running, most, begun = [Node(2, 0), Node(1, 0)], set(), [], []

    def drive(number: int) -> None:
        name = f"study-{number}"
        claim = Claim("cluster", number % 2, float(number), 1, 0)
        with only_driver(name) as held:
            held.claim(claim)
            start.wait(60)
            while not begins(name, held, claim, nodes):
                time.sleep(0.01)
            begun.append(name)
            running.add(name)
            most.append(len(running))
            time.sleep(0.3)
            running.remove(name)

    start = threading.Barrier(20)
    threads = [threading.Thread(target=drive, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 20
    assert 1 < max(most) <= 3
    urgent = {f"study-{number}" for number in range(1, 20, 2)}
    assert urgent <= set(begun[: len(urgent) + 2])  # they come first; three begin side by side
