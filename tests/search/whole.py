"""What must be true of a real study that has ended, whatever happened to it on the way."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.processes import tuner
from tests.search.conftest import begin, drive, rising
from tests.search.killing import DIGITS, EPOCHS
from tuner import spec
from tuner.search import storage
from tuner.tracking.values import SYSTEM_PREFIX

_STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}


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
    wanted = Counter(
        (trial["number"], key, epoch)
        for trial in found
        for key in trial["metrics"]
        for epoch in range(1, trial["epochs"] + 1)
    )
    of_the_machine = {point: count for point, count in recorded.items() if point[1].startswith(SYSTEM_PREFIX)}
    assert set(of_the_machine.values()) == {1}
    lacking, surplus = wanted - recorded, recorded - wanted - Counter(of_the_machine)
    assert not lacking + surplus, f"not recorded: {sorted(lacking)}; not to be there: {sorted(surplus)}"


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


def _configurations(found: list[dict[str, Any]]) -> Counter[str]:
    return Counter(json.dumps([trial["params"], trial["seed"]], sort_keys=True) for trial in found)
