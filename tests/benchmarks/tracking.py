"""Writing to a real MLflow server: 100 metrics in one request against one call each, and what a record costs a study.

The server and its SQLite file are made for the benchmark, on this machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import Target, arguments, in_turns, median_ratio, print_document

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.tracking.servers import served
from tuner.results import EpochMetrics, TrialState
from tuner.tracking import Destination, Tracking
from tuner.tracking.connection import open_store

METRICS = 100


def main() -> None:
    parser = arguments("MLflow: batches against single calls, and the cost of a record to the study")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--trials", type=int, default=200)
    options = parser.parse_args()
    rounds, trials = (2, 20) if options.quick else (options.rounds, options.trials)
    with tempfile.TemporaryDirectory() as place, served(Path(place)) as server:
        at = Destination(server.address)
        seconds = in_turns({"one request": (one := OneRequest(at)), "one call each": (each := OneCallEach(at))}, rounds)
        record_seconds, told, whole_seconds = submitted(at, Path(place), trials)
    ratio = median_ratio(seconds["one call each"], seconds["one request"])
    print_document(
        "tracking",
        options.quick,
        [
            Target("100 metrics: one call each / one request", ratio, 10, 30),
            Target(
                "99th percentile of a record's cost to the study, microseconds", record_seconds[0], 1000, 200, "lower"
            ),
        ],
        setting={"rounds": rounds, "trials": trials, "records": told.written, "points": [one.points, each.points]},
        median_milliseconds={name: 1000 * statistics.median(values) for name, values in seconds.items()},
        record_microseconds={
            "median": record_seconds[1],
            "99th percentile": record_seconds[0],
            "most": record_seconds[2],
        },
        written_per_second=told.written / whole_seconds,
    )


class Run:
    """A run of its own, and the steps that it has so far."""

    def __init__(self, at: Destination) -> None:
        open_store(at)  # MLflow's settings
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=at.uri)
        self._run_id = self._client.create_run("0").info.run_id
        self._step = 0
        self.points = 0

    def metrics(self) -> list[Any]:
        from mlflow.entities import Metric

        self._step += 1
        self.points += METRICS
        return [Metric(f"m{number}", number / 7, 1_700_000_000_000, self._step) for number in range(METRICS)]


class OneRequest(Run):
    """Writes the metrics as the tuner does."""

    def __call__(self) -> None:
        self._client.log_batch(self._run_id, metrics=self.metrics())


class OneCallEach(Run):
    """Writes the metrics as callbacks do that log a value at a time."""

    def __call__(self) -> None:
        for one in self.metrics():
            self._client.log_metric(self._run_id, one.key, one.value, one.timestamp, one.step)


def submitted(at: Destination, folder: Path, trials: int) -> tuple[tuple[float, float, float], Any, float]:
    """Return what a record costs the study (99th percentile, median, most; microseconds), the end, its seconds."""
    tracking = Tracking(at, "benchmark", spool=folder / "unsent")
    tracking.study_started("benchmark")
    spent: list[float] = []
    start = time.perf_counter()
    for number in range(trials):
        timed(spent, tracking.trial_started, number, {"mixing.name": "mixup", "mixing.ratio.alpha": 0.1 * number})
        for epoch in range(1, 21):
            timed(spent, tracking.epoch, number, EpochMetrics(epoch, 0.7, 0.5, 0.7, 0.1, 1e-3, 1000.0, 0.01))
        timed(spent, tracking.trial_ended, number, TrialState.COMPLETE, "trained all 20 epochs")
    report = tracking.close(300)
    if report.unwritten:
        raise RuntimeError(f"MLflow lacks {report.unwritten} records: {report.error}")
    percentile = statistics.quantiles(spent, n=100)[98]
    microseconds = tuple(1e6 * value for value in (percentile, statistics.median(spent), max(spent)))
    return microseconds, report, time.perf_counter() - start  # type: ignore[return-value]


def timed(spent: list[float], call: Any, *values: Any) -> None:
    start = time.perf_counter()
    call(*values)
    spent.append(time.perf_counter() - start)


if __name__ == "__main__":
    main()
