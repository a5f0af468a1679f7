"""Many studies at once on a small cluster: they wait by priority and age, and no more run than it holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.head import head, wait_until
from tests.readme import ROOT

pytestmark = [pytest.mark.ray, pytest.mark.heavy, pytest.mark.timeout(900)]

STUDIES, PLACES = int(os.environ.get("N", "20")), 2
URGENT = f"tiny-{STUDIES - 1}"

SUBMIT = f"""
from concurrent.futures import ThreadPoolExecutor
from tuner.cli.cluster import Sending, submit

def send(index):
    tiny = ["search.trials=1", "search.baselines=none", "trial.training.epochs=1"]
    tiny += ["scheduler.name=fifo", "confirm.seeds=0"]
    urgent = 5 if index == {STUDIES - 1} else None
    submit("digits", [*tiny, f"name=tiny-{{index}}"], None, Sending(priority=urgent), no_wait=True)

with ThreadPoolExecutor(8) as threads:
    list(threads.map(send, range({STUDIES})))
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


class Watch:
    """What is seen of the queue from outside, time after time."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.begun: list[str] = []
        self.waited: set[str] = set()
        self.behind: set[str] | None = None
        self._urgent_seen = False

    def is_over(self) -> bool:
        """Look, and tell whether every study is done; no more may run than the cluster holds."""
        now = claims(self.home)
        running = {name for name, claim in now.items() if claim["is_running"]}
        assert len(running) <= PLACES, running
        waiting = set(now) - running
        self.waited |= waiting
        self.begun += sorted(running - set(self.begun))
        if URGENT in waiting:
            # Who waits now began to after the urgent one was seen to wait.
            self.behind = waiting - {URGENT} if self._urgent_seen and self.behind is None else self.behind
            self._urgent_seen = True
        return ended(self.home) == STUDIES


def test_twenty_studies_at_once_take_their_turns(tmp_path: Path):
    with head(tmp_path, cpus=PLACES) as cluster:
        cluster.asked("ls")  # it answers from now on
        own = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "TUNER_"))}
        elsewhere = cluster.settings | {"TUNER_HOME": str(tmp_path / "elsewhere")}
        sender = subprocess.Popen([sys.executable, "-c", SUBMIT], cwd=ROOT, env=own | elsewhere)
        watch = Watch(cluster.home)
        assert sender.wait(timeout=300) == 0
        wait_until(watch.is_over, 600)
    assert len(watch.waited) > PLACES
    assert watch.behind
    order = watch.begun
    assert URGENT in order
    assert not watch.behind & set(order[: order.index(URGENT)])
