"""What MLflow costs a whole study of digits: recorded on a real server, on one that dies three times, and not at all.

Every study is a process of its own that does the same work: with everything drawn at random and nothing stopped for the
overhead, with TPE and ASHA and one trial at a time for the decisions. The server is on the same processors, so that
what it costs counts too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from measure import Target, arguments, median_ratio, print_document

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.tracking.servers import Server, served

ALIKE = {"search.sampler": "random", "scheduler.name": "fifo"}
ONE_AT_A_TIME = {"resources.concurrent": 1}
AWAY_SECONDS = 5.0


def main() -> None:
    parser = arguments("a study of digits: tracked against untracked, and with a server that is killed three times")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=24)
    options = parser.parse_args()
    rounds, trials, epochs = (1, 3, 2) if options.quick else (options.rounds, options.trials, 27)
    size: dict[str, object] = {"search.trials": trials, "trial.training.epochs": epochs, "confirm.seeds": 0}
    if options.quick:
        size["scheduler.grace_epochs"] = 1
    with tempfile.TemporaryDirectory() as place, served(Path(place)) as server:
        bench = Bench(Path(place), server, size)
        if not options.quick:
            bench.run("warm-up", ALIKE)
        for _ in range(rounds):
            bench.run("untracked", ALIKE, tracked=False)
            bench.run("tracked", ALIKE)
        for _ in range(rounds):
            bench.run("undisturbed", ONE_AT_A_TIME)
            bench.run("killed", ONE_AT_A_TIME, beside=bench.kill_thrice)
        seconds = bench.seconds
        lacking = {name: bench.lacking(name) for name in ("tracked", "undisturbed", "killed")}
        total = sum(map(sum, lacking.values()))
    print_document(
        "tracked_study",
        options.quick,
        [
            Target(
                "wall time: tracked / untracked",
                median_ratio(seconds["tracked"], seconds["untracked"]),
                1.05,
                1.02,
                "lower",
            ),
            Target(
                "wall time: server killed three times / undisturbed",
                median_ratio(seconds["killed"], seconds["undisturbed"]),
                1.10,
                1.02,
                "lower",
            ),
            Target("studies that decided otherwise than the first", bench.otherwise(), 0, 0, "lower"),
            Target("points that MLflow lacks after `tuner sync`, or has twice", total, 0, 0, "lower"),
        ],
        setting={"rounds": rounds, "trials": trials, "epochs": epochs, "server killed": bench.kills},
        seconds=seconds,
        processor_seconds=bench.processor_seconds,
        lacking_and_double=lacking,
    )
    if bench.kills < 3 * rounds and not options.quick:
        raise SystemExit(f"the server was killed {bench.kills} times in {rounds} studies: take more --trials")


class Bench:
    """Runs studies one after the other, and keeps how long each took and what each decided."""

    def __init__(self, folder: Path, server: Server, size: dict[str, object]) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.processor_seconds: dict[str, list[float]] = {}
        """What the driver and MLflow's server took of the processors, without the trials."""
        self.kills = 0
        self._folder, self._server, self._size = folder, server, size
        self._trials: dict[str, list[list[dict[str, Any]]]] = {}

    def run(
        self,
        variant: str,
        settings: dict[str, object],
        *,
        tracked: bool = True,
        beside: Callable[[threading.Event], None] | None = None,
    ) -> None:
        """Run one study in a process of its own, with `beside` in a thread meanwhile."""
        number = len(self.seconds.setdefault(variant, []))
        told = {"name": f"{variant}-{number}", "tracked": tracked, "settings": settings | self._size}
        environment = os.environ | {
            "TUNER_HOME": str(self._folder / "home"),
            "MLFLOW_TRACKING_URI": self._server.address,
            "RAY_worker_niceness": "0",
        }
        over, served = threading.Event(), self._server_seconds()
        thread = threading.Thread(target=beside, args=(over,)) if beside else None
        start = time.perf_counter()
        if thread:
            thread.start()
        command = [sys.executable, __file__, "one-study", json.dumps(told)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        took = time.perf_counter() - start
        over.set()
        if thread:
            thread.join()
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        if beside:  # a study that ended while the server was away has said so
            command = [sys.executable, "-m", "tuner", "sync", f"{variant}-{number}"]
            subprocess.run(command, env=environment, capture_output=True, check=True)
        self.seconds[variant].append(took)
        told = json.loads(done.stdout.splitlines()[-1])
        self._trials.setdefault(variant, []).append(told["trials"])
        served = self._server_seconds() - served if beside is None else 0.0  # another process, where it was killed
        self.processor_seconds.setdefault(variant, []).append(told["processor_seconds"] + served)

    def _server_seconds(self) -> float:
        """Return what the server has taken of the processors so far."""
        assert self._server.process is not None
        first = psutil.Process(self._server.process.pid)
        times = [one.cpu_times() for one in (first, *first.children(recursive=True))]
        return sum(one.user + one.system for one in times)

    def kill_thrice(self, over: threading.Event) -> None:
        """Kill the server three times in the first three fifths of an undisturbed study's time, for seconds each."""
        part = self.seconds["undisturbed"][-1] / 5
        for _ in range(3):
            if over.wait(part - AWAY_SECONDS if self.kills % 3 else part):
                return
            self._server.kill()
            self.kills += 1
            over.wait(AWAY_SECONDS)
            self._server.start()

    def otherwise(self) -> int:
        """Return how many studies have other trials than the first of their settings."""
        alike = [
            self._trials["untracked"] + self._trials["tracked"],
            self._trials["undisturbed"] + self._trials["killed"],
        ]
        return sum(by_number(one) != by_number(group[0]) for group in alike for one in group)

    def lacking(self, variant: str) -> tuple[int, int]:
        """Return how many points of a variant's studies MLflow lacks, and how many it has twice."""
        import sqlite3
        from collections import Counter
        from contextlib import closing

        wanted, found = Counter[Any](), Counter[Any]()
        for number, trials in enumerate(self._trials[variant]):
            for one in trials:
                wanted.update({(number, one["number"], step + 1): 1 for step in range(len(one["curve"]))})
            with closing(sqlite3.connect(self._folder / "mlflow.db", timeout=30)) as database:
                rows = database.execute(
                    "SELECT t.value, m.step FROM metrics m JOIN runs r USING (run_uuid)"
                    " JOIN experiments e USING (experiment_id)"
                    " JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'tuner.trial'"
                    " WHERE e.name = ? AND m.key = 'val_accuracy'",
                    (f"{variant}-{number}",),
                )
                found.update((number, int(trial), step) for trial, step in rows)
        return (wanted - found).total(), (found - wanted).total()


def by_number(trials: list[dict[str, Any]]) -> list[Any]:
    """Return what was decided: every trial's parameters, state and curve."""
    return [(one["number"], one["params"], one["state"], one["curve"]) for one in trials]


def one_study(name: str, tracked: bool, settings: dict[str, object]) -> None:
    """Run a study in this process, and print its trials."""
    from tuner import spec
    from tuner.search import running, study

    if not tracked:
        running.Recording = Unrecorded  # type: ignore[assignment,misc]
    overrides = [f"{key}={value}" for key, value in settings.items()]
    result = study.run(spec.load("digits", [f"name={name}", *overrides]))
    if result.warnings:
        sys.stderr.write("\n".join(result.warnings))
    trials = [trial.as_json() for trial in result.trials]
    print(json.dumps({"trials": trials, "processor_seconds": time.process_time()}))


class Unrecorded:
    """Stands where the record would, and records nothing; MLflow is never imported."""

    def __init__(self, tracking: Any, *more: Any) -> None:
        tracking.abandon(0)

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None

    def close(self, *_: Any) -> Any:
        from tuner.tracking import TrackingReport

        return TrackingReport(0, 0, None)

    def run_ids(self) -> dict[int, str]:
        return {}


if __name__ == "__main__":
    if sys.argv[1:2] == ["one-study"]:
        given = json.loads(sys.argv[2])
        one_study(given["name"], given["tracked"], given["settings"])
    else:
        main()
