"""Real studies that are killed: their processes, and what they have stored so far."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.processes import start
from tuner.search.search import RETRIES

EPOCHS = 9
DIGITS = (
    "--json", "--set", "search.sampler=random", "--set", "search.trials=20", "--set", f"trial.training.epochs={EPOCHS}",
    "--set", "scheduler.grace_epochs=1", "--set", "resources.concurrent=2",
    "--set", "confirm.seeds=0",
)  # fmt: skip
"""Arguments of a small study whose configurations do not depend on what ends first."""

_WORKERS = ("ray::TrialActor", "ray::ResourceTrainable")  # between steps, and during one


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


def journal(home: Path) -> list[dict[str, Any]]:
    """Return what a running study has written so far."""
    path = home / "studies" / "digits" / "journal.log"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def epochs(home: Path) -> int:
    return sum("intermediate_value" in record for record in journal(home))


def losses(home: Path) -> Counter[int]:
    """Return how often the process of each trial was lost, also of those that ended since."""
    found: Counter[int] = Counter()
    for record in journal(home):
        if "times_lost" in record.get("user_attr", {}):
            found[record["trial_id"]] = record["user_attr"]["times_lost"]
    return found


def ended_trials(home: Path) -> set[int]:
    return {record["trial_id"] for record in journal(home) if "datetime_complete" in record and "trial_id" in record}


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
        self.workers_killed = 0
        self.driver = start(home, "run", "digits", *arguments, **settings)

    def disturb(self) -> None:
        """Kill what is next, at a random moment."""
        kind = self.kinds.pop()
        if kind == "driver at its start":
            self.let_it_begin(self.drawn.uniform(0, 10))
        else:
            wanted = epochs(self.home) + self.drawn.randint(1, 2)
            wait_for(lambda: epochs(self.home) >= wanted, self.driver)
            time.sleep(self.drawn.uniform(0, 0.3))
        if kind == "worker" and self.may_lose_another():
            self.kill_worker()
        else:
            self.kill_driver(with_all=kind != "driver alone")

    def let_it_begin(self, seconds: float) -> None:
        """Wait, but no longer than until it trains: a fast machine would train half of the study meanwhile."""
        before, until = epochs(self.home), time.monotonic() + seconds
        while time.monotonic() < until and epochs(self.home) == before:
            time.sleep(0.02)

    def may_lose_another(self) -> bool:
        """Tell whether no trial can have lost all the processes that it may lose, also where that is not stored yet."""
        lost, over = losses(self.home), ended_trials(self.home)
        most = max((times for number, times in lost.items() if number not in over), default=0)
        return most + self.workers_killed - lost.total() < RETRIES

    def kill_worker(self) -> None:
        """Kill one of the processes that train."""
        workers = [one for one in descendants(self.driver.pid) if one.title.startswith(_WORKERS)]
        if workers:
            kill(self.drawn.choice(workers).pid)
            self.workers_killed += 1
        self.log.append(f"{epochs(self.home)} epochs: one worker of {len(workers)}")

    def kill_driver(self, with_all: bool) -> None:
        """Kill the driver, alone or with all that it started, and start the next one."""
        assert self.driver.poll() is None, self.driver.communicate()[1]
        end(self.driver, with_all)
        self.workers_killed = losses(self.home).total()  # of the others nobody will hear
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
