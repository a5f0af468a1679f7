"""ASHA with TPE against random search with full trainings, in simulated time on recorded learning curves.

What counts is what a winner reaches by the mean over its recorded seeds, not the luck of the one it won by. Curves come
from record_curves.py; a quick run plants some instead. The space is the recorded grid's with alpha on a continuous
scale, where a trial has its nearest neighbour's curve.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from measure import Target, arguments, print_document
from record_curves import DATA, configs

from tests.search import recorded
from tests.search.planted import CUTMIX_IS_BETTER
from tests.search.recorded import Recorded, Row
from tests.search.simulator import simulate
from tuner import spec
from tuner.results import EpochMetrics, TrialRecord, TrialState
from tuner.search.search import Assignment

WORKERS, TRIALS = 4, 64
VARIANTS = {
    "random, full": ("search.sampler=random", "scheduler={name: fifo}"),
    "tpe, full": ("search.sampler=tpe", "scheduler={name: fifo}"),
    "random, asha": ("search.sampler=random", "scheduler={name: asha}"),
    "tpe, asha": ("search.sampler=tpe", "scheduler={name: asha}"),
    "tpe, asha, strata both": ("search.sampler=tpe", "scheduler={name: asha, strata: both}"),
}
FULL, OURS = "random, full", "tpe, asha"


@dataclass
class Incumbents:
    """An observer: after how many epochs, of all trials together, which trial was the best that ran to its end."""

    epochs: int = 0
    best: float = float("-inf")
    history: list[tuple[int, TrialRecord]] = field(default_factory=list)

    def trial_started(self, trial: TrialRecord) -> None:
        """Do nothing."""

    def epoch_reported(self, trial: TrialRecord, metrics: EpochMetrics) -> None:
        """Count."""
        self.epochs += 1

    def trial_ended(self, trial: TrialRecord) -> None:
        """Keep the trial where it is the best so far."""
        if trial.state is TrialState.COMPLETE and trial.curve[-1] > self.best:
            self.best = trial.curve[-1]
            self.history.append((self.epochs, trial))

    def noted(self, words: str) -> None:
        """Do nothing."""

    def epochs_to(self, value: float, table: Recorded) -> int:
        """Return the epochs after which the best trial's policy was worth so much; all of them, if it never was."""
        reached = (epochs for epochs, trial in self.history if table.final(trial.config["mixing"]) >= value)
        return next(reached, self.epochs)


def main() -> None:
    parser = arguments("epochs to reach what random search with full trainings reaches, on recorded curves")
    parser.add_argument("--curves", type=Path, default=DATA / "curves.json.gz")
    parser.add_argument("--studies", type=int, default=20)
    options = parser.parse_args()
    if not options.quick and not options.curves.exists():
        sys.exit(f"there is no {options.curves}; make it with record_curves.py")
    studies = 2 if options.quick else options.studies
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TUNER_HOME"] = folder
        grid = spec.load(DATA / "curves.yaml")
        table = Recorded(planted(grid) if options.quick else recorded.read(options.curves)[1])
        found = {name: run(loaded(Path(folder), *given), table, studies) for name, given in VARIANTS.items()}
    reached = statistics.mean(table.final(one.history[-1][1].config["mixing"]) for one in found[FULL])
    summaries = {name: summary(runs, reached, table) for name, runs in found.items()}
    needed = summaries[FULL]["epochs"] / summaries[OURS]["epochs_to_reach"]
    deviation = seed_deviation(table.rows)
    print_document(
        "recorded_search",
        options.quick,
        [
            Target("random search's epochs by those ASHA with TPE needs", needed, 2, 4),
            Target("regret by one seed's deviation", summaries[OURS]["regret"] / deviation, 1, 0.5, "lower"),
        ],
        setting={"studies": studies, "trials": TRIALS, "workers": WORKERS, "trainings": len(table.rows)},
        seed_deviation=deviation,
        random_search_reaches=reached,
        variants=summaries,
    )


def run(study: spec.StudySpec, table: Recorded, studies: int) -> list[Incumbents]:
    """Return the incumbents of so many studies; each study starts with another recorded seed."""
    found = []
    for number in range(studies):
        incumbents = Incumbents()
        own = replace(study, seed=1000 * number)
        simulate(own, lambda a, number=number: table.curve(a, number), WORKERS, observers=[incumbents])
        found.append(incumbents)
    return found


def summary(runs: Sequence[Incumbents], reached: float, table: Recorded) -> Mapping[str, Any]:
    """Return what a variant's studies came to."""
    best = max(table.final(row.mixing) for row in table.rows)
    finals = [table.final(one.history[-1][1].config["mixing"]) for one in runs]
    return {
        "epochs": statistics.mean(one.epochs for one in runs),
        "epochs_to_reach": statistics.mean(one.epochs_to(reached, table) for one in runs),
        "studies_that_reach": sum(final >= reached for final in finals),
        "winner": statistics.mean(finals),
        "regret": best - statistics.mean(finals),
    }


def seed_deviation(rows: Sequence[Row]) -> float:
    """Return the standard deviation between seeds of one policy at the end, pooled over those with several."""
    table = Recorded(rows)
    ends = ([one.series[table.metric][-1] for one in table.alike(row.mixing)] for row in rows if row.seed == 0)
    return statistics.mean(statistics.variance(values) for values in ends if len(values) > 1) ** 0.5


def loaded(folder: Path, *overrides: str) -> spec.StudySpec:
    """Return the recorded grid as a space to search: alpha anywhere between its smallest and largest."""
    text = (DATA / "curves.yaml").read_text()
    text = re.sub(r"alpha: \{any: \[([\d.]+),[^]]*, ([\d.]+)\]\}", r"alpha: {low: \1, high: \2, log: true}", text)
    file = folder / "curves.yaml"
    file.write_text(text)
    return spec.load(file, (*overrides, f"search.trials={TRIALS}"))


def planted(grid: spec.StudySpec) -> list[Row]:
    """Return made-up trainings for a quick run."""
    rows = []
    for config in configs(grid):
        for seed in (0, 1):
            curve = CUTMIX_IS_BETTER.curve(Assignment(0, config, seed, Path()), grid.epochs, 0)
            epochs = [EpochMetrics(n, 1.0, value, 1.0, 0.1, 0.01, 1.0, 1.0) for n, value in enumerate(curve, 1)]
            rows.append(recorded.row(config["mixing"], seed, epochs))
    return rows


if __name__ == "__main__":
    main()
