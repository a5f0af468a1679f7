"""Real studies that are killed and disturbed: their processes, what they have stored, and what must be true of it."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from tests.processes import start, tuner
from tests.search.conftest import begin, drive, rising
from tuner import spec
from tuner.search import storage
from tuner.search.search import RETRIES

EPOCHS = 9
DIGITS = (
    "--json", "--set", "search.sampler=random", "--set", "search.trials=14", "--set", f"trial.training.epochs={EPOCHS}",
    "--set", "scheduler.grace_epochs=1", "--set", "resources.concurrent=2",
    "--set", "confirm.seeds=0",
)  # fmt: skip
"""Arguments of a small study whose configurations do not depend on what ends first."""

_WORKERS = ("ray::TrialActor", "ray::ResourceTrainable")  # between steps, and during one

_STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}


class Process(NamedTuple):
    """A line of the system's table."""

    pid: int
    title: str


def descendants(pid: int) -> list[Process]:
    """Return what a process started, and what that started."""
    table = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()[1:]]
    found = {pid}
    while new := {int(own) for own, parent, _ in rows if int(parent) in found} - found:
        found |= new
    return [Process(int(own), title) for own, _, title in rows if int(own) in found - {pid}]


def kill(*pids: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def left_of(home: Path) -> list[str]:
    """Return the processes that were started for a TUNER_HOME and are still there, after a while to end in."""
    deadline = time.monotonic() + 20
    while (found := _of(home)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def _of(home: Path) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"TUNER_HOME={home}\0" in (folder / "environ").read_text():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
    return found


def journal(home: Path) -> list[dict[str, Any]]:
    """Return what a running study has written so far."""
    path = home / "studies" / "digits" / "journal.log"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def epochs(home: Path) -> int:
    return sum("intermediate_value" in record for record in journal(home))


def most_lost(home: Path) -> int:
    """Return how often the process of a trial that has not ended was lost, of the unluckiest one."""
    lost: dict[int, int] = {}
    for record in journal(home):
        if "datetime_complete" in record:
            lost.pop(record.get("trial_id", -1), None)
        elif "times_lost" in record.get("user_attr", {}):
            lost[record["trial_id"]] = record["user_attr"]["times_lost"]
    return max(lost.values(), default=0)


def wait_for(condition: Any, process: subprocess.Popen[str], seconds: float = 250) -> None:
    """Wait until `condition()` holds; the process must not end before, nor the time run out."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.02)


class Victim:
    """A study whose driver and workers are killed, and whose driver is started again."""

    def __init__(self, home: Path, arguments: tuple[str, ...], seed: int, **settings: str) -> None:
        self.home = home
        self.arguments = arguments
        self.settings = settings
        self.drawn = random.Random(seed)
        self.log = [f"seed {seed}"]
        self.kinds = [*12 * ["worker"], *4 * ["driver and all"], *2 * ["driver alone"], *2 * ["driver at its start"]]
        self.drawn.shuffle(self.kinds)
        self.driver = start(home, "run", "digits", *arguments, **settings)

    def disturb(self) -> None:
        """Kill what is next, at a random moment."""
        kind = self.kinds.pop()
        if kind == "worker" and most_lost(self.home) >= RETRIES:
            kind = "driver and all"  # a trial may lose its process only so often
        pause = self.drawn.uniform(0, 10 if kind == "driver at its start" else 0.3)
        if kind != "driver at its start":
            wanted = epochs(self.home) + self.drawn.randint(1, 2)
            wait_for(lambda: epochs(self.home) >= wanted, self.driver)
        time.sleep(pause)
        if kind == "worker":
            self.kill_worker()
        else:
            self.kill_driver(with_all=kind != "driver alone")

    def kill_worker(self) -> None:
        """Kill one of the processes that train."""
        workers = [one for one in descendants(self.driver.pid) if one.title.startswith(_WORKERS)]
        if workers:
            kill(self.drawn.choice(workers).pid)
        self.log.append(f"{epochs(self.home)} epochs: one worker of {len(workers)}")

    def kill_driver(self, with_all: bool) -> None:
        """Kill the driver, alone or with all that it started, and start the next one."""
        assert self.driver.poll() is None, self.driver.communicate()[1]
        end(self.driver, with_all)
        self.log.append(f"{epochs(self.home)} epochs: driver{' and all' if with_all else ''}")
        has_begun = epochs(self.home) or journal(self.home)
        command = ("resume", "digits", "--json") if has_begun else ("run", "digits", *self.arguments)
        self.driver = start(self.home, *command, **self.settings)


def end(driver: subprocess.Popen[str], with_all: bool = True) -> None:
    """Kill a driver, if it still runs."""
    started = descendants(driver.pid) if with_all else []
    driver.kill()
    kill(*(one.pid for one in started))
    driver.communicate()


@contextmanager
def victim(home: Path, arguments: tuple[str, ...], seed: int, **settings: str) -> Iterator[Victim]:
    """Start a study that is to be killed, say by which seed and when where anything is wrong, and leave nothing."""
    one = Victim(home, arguments, seed, **settings)
    try:
        yield one
    except AssertionError as error:
        raise AssertionError(f"killed at these moments: {one.log}") from error
    finally:
        end(one.driver)


def finished(driver: subprocess.Popen[str]) -> dict[str, Any]:
    """Return a driver's document after its good end."""
    out, err = driver.communicate(timeout=280)
    assert driver.returncode == 0, err
    return json.loads(out)


def undisturbed(arguments: tuple[str, ...] = DIGITS) -> Counter[str]:
    """Return every configuration of a study that nothing disturbs, with its seed: drawn, with no training."""
    given = [value for flag, value in pairwise(arguments) if flag == "--set"]
    loaded = spec.load("digits", given)
    drive(begin(loaded), rising)
    return _configurations([one.as_json() for one in storage.records(storage.load("digits"))])


def check_whole(
    home: Path, ended: dict[str, Any], expected: Counter[str], budget: int = EPOCHS, **settings: str
) -> None:
    """Check that a study that ended is all there, once, and that nothing else is left of it."""
    code, out, err = tuner(home, "trials", "digits", "--json", **settings)
    assert code == 0, err
    found = json.loads(out)
    assert ended["state"] == "completed"
    assert _configurations(found) == expected
    assert all(trial["state"] in {"complete", "pruned"} for trial in found), [trial["cause"] for trial in found]
    assert all(trial["epochs"] == budget for trial in found if trial["state"] == "complete")
    check_recorded(home, found)
    left = {str(path) for path in (home / "studies" / "digits" / "checkpoints").glob("*")}
    assert left <= {ended.get("network")}
    assert left_of(home) == []


def _configurations(found: list[dict[str, Any]]) -> Counter[str]:
    return Counter(json.dumps([trial["params"], trial["seed"]], sort_keys=True) for trial in found)


def check_recorded(home: Path, found: list[dict[str, Any]]) -> None:
    """Check that MLflow has one run a trial, closed as the trial ended, with every metric of every epoch once."""
    with closing(sqlite3.connect(home / "mlflow.db")) as store:
        runs = store.execute(
            "SELECT value, status, run_uuid FROM runs JOIN tags USING (run_uuid) WHERE tags.key = 'tuner.trial'"
        ).fetchall()
        points = store.execute("SELECT run_uuid, key, step FROM metrics").fetchall()
        studies = store.execute(
            "SELECT status FROM runs JOIN tags USING (run_uuid) WHERE tags.key = 'tuner.kind' AND value = 'study'"
        ).fetchall()
    assert studies == [("FINISHED",)]
    assert sorted((int(number), status) for number, status, _ in runs) == sorted(
        (trial["number"], _STATUS[trial["state"]]) for trial in found
    )
    number_of = {run: int(number) for number, _, run in runs}
    recorded = Counter((number_of[run], key, step) for run, key, step in points if run in number_of)
    assert recorded == Counter(
        (trial["number"], key, epoch)
        for trial in found
        for key in trial["metrics"]
        for epoch in range(1, trial["epochs"] + 1)
    )
