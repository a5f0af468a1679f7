"""Many studies at once on a small cluster: they wait by priority and age, and no more run than it holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.head import Head, head, wait_until
from tests.readme import ROOT

pytestmark = [pytest.mark.ray, pytest.mark.heavy, pytest.mark.timeout(900)]

PLACES = 2
LONG = ("long-0", "long-1")
"""They hold all places until they are stopped, whatever the machine does meanwhile."""
BEHIND = ("tiny-0", "tiny-1", "tiny-2")
URGENT = "tiny-urgent"

SUBMIT = """
import sys
from concurrent.futures import ThreadPoolExecutor
from tuner.cli.cluster import Sending, submit

def send(name):
    tiny = ["search.trials=1", "search.baselines=none", f"trial.training.epochs={sys.argv[2]}"]
    tiny += ["scheduler.name=fifo", "confirm.seeds=0"]
    submit("digits", [*tiny, f"name={name}"], None, Sending(priority=int(sys.argv[1])), no_wait=True)

with ThreadPoolExecutor(8) as threads:
    list(threads.map(send, sys.argv[3:]))
"""


def claims(home: Path) -> dict[str, dict]:
    """Return what every driver that lives asks for, by study."""
    found = {}
    for path in home.glob("studies/*/driver.json"):
        try:
            claim = json.loads(path.read_text())["claim"]
        except (OSError, ValueError):  # it ends just now
            continue
        if claim is not None:
            found[path.parent.name] = claim
    return found


def ended(home: Path) -> int:
    return sum('"state":"completed"' in path.read_text() for path in home.glob("studies/*/journal.log"))


def began(home: Path, name: str) -> str:
    """Return when a study's first trial began, as it is stored."""
    lines = (home / "studies" / name / "journal.log").read_text().splitlines()
    return min(record["datetime_start"] for record in map(json.loads, lines) if record.get("datetime_start"))


class Watch:
    """What is seen of the queue from outside, time after time."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.running: set[str] = set()
        self.waiting: set[str] = set()

    def look(self) -> None:
        """Look once; no more may run than the cluster holds."""
        now = claims(self.home)
        self.running = {name for name, claim in now.items() if claim["is_running"]}
        assert len(self.running) <= PLACES, self.running
        self.waiting = set(now) - self.running

    def wait_until(self, true: Callable[[], bool]) -> None:
        """Look on until it is true."""

        def seen() -> bool:
            self.look()
            return true()

        wait_until(seen, 600)


def test_many_studies_at_once_take_their_turns_and_an_urgent_one_is_the_next(tmp_path: Path):
    with head(tmp_path, cpus=PLACES) as cluster:
        cluster.asked("ls")  # it answers from now on
        watch = Watch(cluster.home)
        submit(cluster, 0, 100_000, *LONG)
        watch.wait_until(lambda: watch.running == set(LONG))
        submit(cluster, 0, 1, *BEHIND)
        watch.wait_until(lambda: watch.waiting == set(BEHIND))
        submit(cluster, 5, 1, URGENT)
        watch.wait_until(lambda: watch.waiting == {*BEHIND, URGENT})
        for name in LONG:
            assert cluster.asked("stop", name)[0] == 0
        watch.wait_until(lambda: ended(cluster.home) == len(BEHIND) + 1)
        assert began(cluster.home, URGENT) < min(began(cluster.home, name) for name in BEHIND)


def submit(cluster: Head, priority: int, epochs: int, *names: str) -> None:
    own = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "TUNER_"))}
    elsewhere = cluster.settings | {"TUNER_HOME": str(cluster.home.parent / "elsewhere")}
    command = [sys.executable, "-c", SUBMIT, str(priority), str(epochs), *names]
    subprocess.run(command, cwd=ROOT, env=own | elsewhere, check=True, timeout=300)
