"""A study of 2,000 trials on a real MLflow server: how soon `tuner trials` answers, and its page opens in Chromium."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import Target, arguments, in_turns, print_document

sys.path.insert(0, str(Path(__file__).parents[2]))

import statistics

from tests.tracking import browser
from tests.tracking.examples import metrics, mixup
from tests.tracking.servers import served
from tuner.results import StudyState, TrialRecord, TrialState
from tuner.tracking import Destination, Tracking, ids

EPOCHS = 3


def main() -> None:
    parser = arguments("MLflow: a study of thousands of trials, read by command and opened in Chromium")
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    trials, rounds = (20, 1) if options.quick else (options.trials, options.rounds)
    if reason := browser.missing():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as place, served(Path(place)) as server:
        at = Destination(server.address)
        start = time.perf_counter()
        write(at, trials, Path(place))
        writing = time.perf_counter() - start
        where = ids("many", at)
        assert where is not None
        runs = f"{server.address}/#/experiments/{where.experiment_id}/runs"
        with browser.chromium(Path(place) / "profile") as driver:
            pages: dict[str, Callable[[], object]] = {
                "the study's run": lambda: opened(driver, f"{runs}/{where.run_id}", "best_so_far"),
                "its trials": lambda: opened(driver, f"{runs}?viewStateShareKey=tuner", "matching runs"),
            }
            seconds = in_turns(pages | {"tuner trials": lambda: listed(server.address, Path(place), trials)}, rounds)
    found = {name: statistics.median(values) for name, values in seconds.items()}
    print_document(
        "mlflow_pages",
        options.quick,
        [
            Target("seconds until the study's run is shown", found["the study's run"], 5, 3, "lower"),
            Target("seconds until its trials are shown", found["its trials"], 5, 3, "lower"),
            Target("seconds of `tuner trials`, from its start to its end", found["tuner trials"], 2, 1.5, "lower"),
        ],
        setting={"trials": trials, "epochs": EPOCHS, "rounds": rounds},
        seconds=seconds,
        writing_seconds=writing,
    )


def write(at: Destination, trials: int, folder: Path) -> None:
    """Record a study of many short trials."""
    tracking = Tracking(at, "benchmark", spool=folder / "unsent")
    tracking.study_started("many", params={"objective.metric": "val_accuracy"}, view=_view())
    known, begun_ms = [], int(time.time() * 1000) - 10_000 * trials
    for number in range(trials):
        ended_ms = begun_ms + 10_000 * number  # one every ten seconds: what ended just now is asked for run by run
        params, curve = mixup(0.05 + number / trials), [0.5 + epoch / 10 for epoch in range(EPOCHS)]
        tracking.trial_started(number, params, {"seed": number}, at_ms=ended_ms - 9000)
        for epoch, value in enumerate(curve, start=1):
            tracking.epoch(number, metrics(epoch, val_accuracy=value))
        cause = f"trained all {EPOCHS} epochs"
        tracking.trial_ended(number, TrialState.COMPLETE, cause, curve=curve, at_ms=ended_ms)
        tracking.progress(number + 1, {"trials_ended": number + 1, "best_so_far": 0.7})
        known.append(TrialRecord(number, TrialState.COMPLETE, cause, dict(params), tuple(curve), {}, number))
    tracking.trials_listed(known)
    tracking.study_ended(StudyState.COMPLETED, {"seconds": 1.0})
    report = tracking.close(3600)
    if report.unwritten:
        raise RuntimeError(f"MLflow lacks {report.unwritten} records: {report.error}")


def _view() -> str:
    from tuner.tracking import shared_view

    return shared_view("val_accuracy", True, ["mixing.name", "mixing.ratio.alpha"])


def opened(driver: Any, address: str, wanted: str) -> None:
    """Open a page anew and wait until it shows what is wanted."""
    driver.get("about:blank")
    driver.get(address)
    browser.awaited(driver, lambda text: wanted in text)


def listed(address: str, folder: Path, trials: int) -> None:
    """List the trials as on another machine, in a process of its own."""
    environment = os.environ | {"TUNER_HOME": str(folder / "other"), "MLFLOW_TRACKING_URI": address}
    command = [sys.executable, "-m", "tuner", "trials", "many", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    if done.stdout.count('"number"') != trials:
        raise RuntimeError(f"`tuner trials` lists {done.stdout.count('number')} of {trials}")


if __name__ == "__main__":
    main()
