"""What a trial of five reports costs beside its training: our study against a Ray Tune function trainable.

The function trainable runs with Ray Tune's defaults: a fresh process a trial, its loggers, OptunaSearch. Ours is `tuner
run` itself with everything it writes (Optuna's journal, MLflow), on 64 images of 4x4 and a network of a few weights;
that training is not taken off. Each runs in a process and a Ray of its own, in turns; what starting Ray takes is left
out on both sides, what starting the first workers takes is not.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from measure import Target, arguments, median_ratio, print_document

REPORTS = 5
STUDY = """
name: orchestration
trial:
  dataset: {{name: npz, path: {data}, validation_examples: 10}}
  model: {{name: mlp, hidden: [2]}}
  training: {{epochs: {reports}, batch_size: 64}}
  mixing:
    name: mixup
    probability: {{low: 0.1, high: 1.0}}
    ratio: {{name: beta, alpha: {{low: 0.05, high: 8.0, log: true}}}}
search: {{trials: {trials}}}
scheduler: {{name: fifo}}
confirm: {{seeds: 0}}
"""


def main() -> None:
    parser = arguments("milliseconds a trial of five reports")
    parser.add_argument("--trials", type=int, default=48, help="trials of ours (default 48, as in fashion_mnist.yaml)")
    parser.add_argument("--default-trials", type=int, default=12, help="trials of the function trainable (default 12)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("ours", "function"), help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    counts = {"ours": options.trials, "function": options.default_trials}
    if options.quick:
        counts = {"ours": 3, "function": 2}
    if options.only:
        found = {"ours": run_ours, "function": run_function}[options.only](counts[options.only])
        options.result.write_text(json.dumps(found))
        return
    rounds = 1 if options.quick else options.rounds
    # In turns for the numbers' sake; a quick run has none to speak of.
    with ThreadPoolExecutor(len(counts) if options.quick else 1) as pool:
        runs = [dict(zip(counts, pool.map(in_own_process, counts.items()), strict=True)) for _ in range(rounds)]
    ratios = {
        key: median_ratio([run["function"][key] for run in runs], [run["ours"][key] for run in runs])
        for key in ("ms_a_trial", "ms_a_further_trial")
    }
    parts = parts_of_ours(counts["ours"], with_mlflow=not options.quick)
    print_document(
        "orchestration",
        options.quick,
        [
            Target("function / ours, ms a trial, first processes' start included", ratios["ms_a_trial"], 5, 15),
            Target("function / ours, ms a further trial", ratios["ms_a_further_trial"], 5, 15),
        ],
        setting={"reports_a_trial": REPORTS, "trials": counts, "rounds": rounds},
        variants={
            name: {
                "median_ms_a_trial": statistics.median(run[name]["ms_a_trial"] for run in runs),
                "median_ms_a_further_trial": statistics.median(run[name]["ms_a_further_trial"] for run in runs),
                "runs": [run[name] for run in runs],
            }
            for name in counts
        },
        parts_of_ours_ms_a_trial=parts,
        note="a further trial is one after the first two, which wait for the first processes to start",
    )


def in_own_process(variant_and_trials: tuple[str, int]) -> dict[str, Any]:
    """Run one variant in a fresh process, and return what it found."""
    variant, trials = variant_and_trials
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        count = {"ours": "--trials", "function": "--default-trials"}[variant]
        command = [sys.executable, __file__, "--only", variant, "--result", str(result), count, str(trials)]
        environment = {**os.environ, "TUNER_HOME": folder, "MLFLOW_DISABLE_TELEMETRY": "true"}
        # Only words of Ray go to these streams; they are shown if it fails.
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        if not result.exists():
            raise RuntimeError(f"{variant} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        found: dict[str, Any] = json.loads(result.read_text())
        return found


def run_ours(trials: int) -> dict[str, Any]:
    """Run our study, and return its milliseconds a trial."""
    from tuner.search import study

    ended = Ends()
    spec = made_study(trials)
    result = study.run(spec, [ended])
    complete = result.counts()["complete"]
    if complete != trials:
        raise RuntimeError(f"wanted {trials} complete trials, got {result.counts()}: {result.warnings}")
    return {
        "trials": trials,
        "seconds": result.seconds,
        "ms_a_trial": 1000 * result.seconds / trials,
        "ms_a_further_trial": 1000 * ended.seconds_a_further_trial(),
        "training_ms_a_trial": training_ms(spec),
    }


def run_function(trials: int) -> dict[str, Any]:
    """Run Ray Tune's function trainable as it comes, and return its milliseconds a trial."""
    os.environ |= {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),  # else Ray leaves one in the home directory
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    import ray
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    ended = Ends()

    class Listener(tune.Callback):  # type: ignore[misc]
        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
            ended.times.append(time.monotonic())

    def five_reports(config: dict[str, float]) -> None:
        for _ in range(REPORTS):
            tune.report({"val_accuracy": config["probability"]})

    ray.init(include_dashboard=False)
    tuner = tune.Tuner(
        five_reports,
        param_space={"probability": tune.uniform(0.1, 1.0), "alpha": tune.loguniform(0.05, 8.0)},
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(metric="val_accuracy", mode="max"),
            num_samples=trials,
            max_concurrent_trials=os.cpu_count(),
        ),
        run_config=tune.RunConfig(storage_path=str(Path.cwd() / "ray"), callbacks=[Listener()]),
    )
    start = time.monotonic()
    results = tuner.fit()
    seconds = time.monotonic() - start
    if len(results) != trials or results.errors:
        raise RuntimeError(f"wanted {trials} trials without errors, got {len(results)}: {results.errors}")
    return {
        "trials": trials,
        "seconds": seconds,
        "ms_a_trial": 1000 * seconds / trials,
        "ms_a_further_trial": 1000 * ended.seconds_a_further_trial(),
    }


class Ends:
    """An observer that keeps when each trial ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def trial_started(self, trial: object) -> None:
        """Do nothing."""

    def epoch_reported(self, trial: object, metrics: object) -> None:
        """Do nothing."""

    def trial_ended(self, trial: object) -> None:
        """Keep the time."""
        self.times.append(time.monotonic())

    def noted(self, words: str) -> None:
        """Do nothing."""

    def seconds_a_further_trial(self) -> float:
        """Return the seconds a trial from the first trials' end on."""
        first = min(os.cpu_count() or 1, len(self.times) - 1)
        return (self.times[-1] - self.times[first - 1]) / (len(self.times) - first)


def made_study(trials: int) -> Any:
    """Write the tiny data set and the study file to TUNER_HOME, and return the checked study."""
    import numpy as np

    from tuner import spec
    from tuner.home import home

    data, file = home() / "tiny.npz", home() / "orchestration.yaml"
    draw = np.random.default_rng(0)
    images = draw.integers(256, size=(64, 4, 4, 1), dtype=np.uint8)
    np.savez(data, images=images, labels=np.arange(64) % 2)
    file.write_text(STUDY.format(data=data, reports=REPORTS, trials=trials))
    return spec.load(file)


def training_ms(spec: Any) -> float:
    """Return the milliseconds that a trial's own work takes: building it and training its epochs."""
    from tuner import space, trial

    config = trial.resolve(space.corners(spec.trial)[0].config)
    split = trial.load_data(config, seed=0)

    def seconds() -> float:
        start = time.perf_counter()
        trial.run(config, lambda _: None, split=split)
        return time.perf_counter() - start

    return 1000 * statistics.median(seconds() for _ in range(10))


def parts_of_ours(trials: int, with_mlflow: bool) -> dict[str, float]:
    """Return what the search takes without Ray: asking, reporting, telling, and what MLflow takes in the background."""
    from tuner.search import storage
    from tuner.search.search import Search

    with tempfile.TemporaryDirectory() as folder:
        os.environ["TUNER_HOME"] = folder
        spec = made_study(trials)
        search = Search(spec, storage.create(spec.name, maximise=True), slots=2)
        seconds: dict[str, list[float]] = {"ask": [], "report": [], "last report, which tells the end": []}
        for _ in range(trials):
            number = clocked(seconds["ask"], search.ask).number
            for epoch in range(1, REPORTS + 1):
                part = "report" if epoch < REPORTS else "last report, which tells the end"
                clocked(seconds[part], functools.partial(search.report, number, metrics_of(number, epoch)))
        found = {name: 1000 * sum(values) / trials for name, values in seconds.items()}
        if with_mlflow:
            mlflow_cpu_ms(1)  # makes the database
            found["mlflow, CPU in the background"] = mlflow_cpu_ms(trials)
        return found


def mlflow_cpu_ms(trials: int) -> float:
    """Return the CPU milliseconds a trial of writing to MLflow's local store."""
    from tuner import space, trial
    from tuner.results import StudyState, TrialState, flatten
    from tuner.tracking import Tracking, destination

    params = flatten(trial.resolve(space.corners(made_study(trials).trial)[0].config))
    start = time.process_time()
    tracking = Tracking(destination(), f"of-{trials}")
    tracking.study_started("orchestration")
    for number in range(trials):
        tracking.trial_started(number, params)
        for epoch in range(1, REPORTS + 1):
            tracking.epoch(number, metrics_of(number, epoch))
        tracking.trial_ended(number, TrialState.COMPLETE, f"trained all {REPORTS} epochs")
    tracking.study_ended(StudyState.COMPLETED)
    report = tracking.close(300)
    if report.unwritten:
        raise RuntimeError(f"MLflow lacks {report.unwritten} records: {report.error}")
    return 1000 * (time.process_time() - start) / trials


def metrics_of(number: int, epoch: int) -> Any:
    """Return made-up metrics, different for every trial."""
    from tuner.results import EpochMetrics

    return EpochMetrics(epoch, 0.7, 0.5 + 0.001 * number, 0.7, 0.1, 1e-3, 1000.0, 0.01)


def clocked(seconds: list[float], run: Callable[[], Any]) -> Any:
    """Run a function and keep its seconds."""
    start = time.perf_counter()
    value = run()
    seconds.append(time.perf_counter() - start)
    return value


if __name__ == "__main__":
    main()
