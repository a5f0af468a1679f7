"""A driver killed at random moments: with one worker its study ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.processes import start, tuner

pytestmark = [pytest.mark.ray, pytest.mark.heavy, pytest.mark.timeout(300)]

KILLS = 3
STUDY = (
    "run", "digits", "--json", "--set", "search.trials=12", "--set", "trial.training.epochs=9",
    "--set", "scheduler.grace_epochs=1", "--set", "resources.concurrent=1",
)  # fmt: skip


def driven(home: Path, *arguments: str) -> dict:
    code, out, err = tuner(home, *arguments)
    assert code == 0, err
    return json.loads(out)


def told(home: Path) -> list:
    """Return what has to be equal: configurations, seeds, curves and decisions, in order."""
    trials = json.loads(tuner(home, "trials", "digits", "--json")[1])
    return [(t["number"], t["params"], t["seed"], t["curve"], t["state"], t["cause"]) for t in trials]


def epochs(home: Path) -> int:
    journal = home / "studies" / "digits" / "journal.log"
    return journal.read_text().count("intermediate_value") if journal.exists() else 0


def kill_after(home: Path, process: subprocess.Popen[str], more: int, pause: float) -> None:
    """Kill a driver some epochs and a part of an epoch later, and all that it started."""
    wanted = epochs(home) + more
    deadline = time.monotonic() + 100
    while epochs(home) < wanted and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(pause)
    assert process.poll() is None, process.communicate()[1]
    started = descendants(process.pid)
    process.kill()
    process.communicate()
    for pid in started:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def descendants(pid: int) -> set[int]:
    table = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, table.splitlines()[1:])}
    found = {pid}
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return found - {pid}


def test_a_study_whose_driver_is_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    driven(undisturbed, *STUDY)
    seed = random.SystemRandom().randrange(10**6)
    drawn = random.Random(seed)
    moments = []
    for kill in range(KILLS):
        moments.append((drawn.randint(1, 12), drawn.uniform(0, 0.2)))
        process = start(killed, *(STUDY if kill == 0 else ("resume", "digits", "--json")))
        kill_after(killed, process, *moments[-1])
    ended = driven(killed, "resume", "digits", "--json")
    assert ended["state"] == "completed"
    assert told(killed) == told(undisturbed), f"killed after (epochs, seconds) {moments}"
    kept = list((killed / "studies" / "digits" / "checkpoints").glob("*"))
    assert [str(path) for path in kept] == [ended["network"]]
