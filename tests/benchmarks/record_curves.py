"""Records the learning curves that studies are simulated on: every point of a study file's grid, trained to the end.

    nice -n 19 python tests/benchmarks/record_curves.py --workers 2

writes tests/data/curves.json.gz, and goes on where it was stopped: a training counts once its row is written. With
`--limit N` it stops after so many more trainings. A quick run trains two policies on digits into a temporary file.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

import optuna
from measure import Target, arguments, machine, print_document

from tests.search import recorded
from tests.search.recorded import Row
from tuner import space, spec, trial
from tuner.datasets import Split
from tuner.results import EpochMetrics

DATA = Path(__file__).parent.parent / "data"
QUICK = (
    "trial.dataset={name: digits}",
    "trial.model={name: small_cnn, padding: same}",
    "trial.training.epochs=2",
    "scheduler.grace_epochs=1",
)
LARGEST_BYTES = 1_000_000


def main() -> None:
    parser = arguments("record whole trainings of every policy of a grid")
    parser.add_argument("--study", type=Path, default=DATA / "curves.yaml")
    parser.add_argument("--out", type=Path, default=DATA / "curves.json.gz")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, help="trainings to do now (default: all that are missing)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.quick:
            options.out, options.seeds, options.limit = Path(folder) / "curves.json.gz", 1, 2
        loaded = spec.load(options.study, QUICK if options.quick else ())
        rows = record(loaded, options.out, options.seeds, options.workers, options.limit)
        wanted = options.seeds * len(list(configs(loaded)))
        print_document(
            "record_curves",
            options.quick,
            [Target("bytes of the table", options.out.stat().st_size, LARGEST_BYTES, LARGEST_BYTES / 10, "lower")],
            trainings={"recorded": len(rows), "wanted": wanted},
            best=[
                {"mixing": row.mixing, "seed": row.seed, "val_accuracy": row.series["val_accuracy"][-1]}
                for row in sorted(rows, key=lambda row: -row.series["val_accuracy"][-1])[:5]
            ],
        )


def record(loaded: spec.StudySpec, out: Path, seeds: int, workers: int, limit: int | None) -> list[Row]:
    """Train what the table lacks, at most `limit`, and write it down row by row."""
    header = {"study": hashlib.sha256(loaded.source.encode()).hexdigest(), "made_on": machine()}
    rows: list[Row] = []
    if out.exists():
        header_there, rows = recorded.read(out)
        if header_there["study"] != header["study"]:
            sys.exit(f"{out} was made by another study file; give another --out, or delete it")
    known = {row.key for row in rows}
    tasks = [
        (config, seed)
        for seed in range(seeds)
        for config in configs(loaded)
        if Row(config["mixing"], seed, 0.0, {}).key not in known
    ][:limit]
    # Fresh processes: what this one has imported and opened stays here.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(trained, config, seed, loaded.seed) for config, seed in tasks]
        for number, done in enumerate(as_completed(running), 1):
            rows.append(done.result())
            recorded.write(out, header, rows)
            last = rows[-1]
            said = f"{last.mixing['name']}, seed {last.seed}: {last.series['val_accuracy'][-1]:.4f}"
            sys.stderr.write(f"{number} of {len(tasks)}: {said}, {last.seconds:.2f} s an epoch\n")
    return rows


def configs(loaded: spec.StudySpec) -> Iterator[dict[str, Any]]:
    """Return each point of a study's grid as a resolved configuration."""
    for point in space.grid(loaded.trial):
        yield trial.resolve(space.suggest(optuna.trial.FixedTrial(point), loaded.trial))


def trained(config: Mapping[str, Any], seed: int, study_seed: int) -> Row:
    """Train a configuration as a study's worker does: its validation split is the study's, its own seed the rest's."""
    import torch

    torch.set_num_threads(1)
    epochs: list[EpochMetrics] = []
    trial.run(config, epochs.append, seed=seed, split=_split(json.dumps(config["dataset"]), study_seed))
    return recorded.row(config["mixing"], seed, epochs)


@cache
def _split(dataset: str, seed: int) -> Split:
    """Return a dataset's split; a worker loads it once."""
    return trial.load_data({"dataset": json.loads(dataset)}, seed)


if __name__ == "__main__":
    main()
