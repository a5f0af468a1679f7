"""How many copies of the dataset two concurrent trials hold, and how many threads each: real workers, via Ray.

The workers are those of a study (`TrialActor`, given the data as a study gives it) and train on a made-up npz data set.
The kernel says of every process which memory is its own (private) and which it shares; what two workers hold more with
a large data set than with a tiny one is the data set's.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure import Target, arguments, print_document  # before torch: one thread

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
WORKERS = 2
IMAGE = (32, 32, 3)
MEBIBYTE = 2**20


def main() -> None:
    parser = arguments("copies of the dataset in two concurrent trials")
    parser.add_argument("--megabytes", type=int, default=400, help="size of the data set in MiB (default 400)")
    options = parser.parse_args()
    large = 40 if options.quick else options.megabytes
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TUNER_HOME"] = folder
        os.environ["HOME"] = folder  # a worker that Tune does not start makes a folder in ~/ray_results
        found = measured(Path(folder), {"tiny": 1, "large": large})
    grown = {
        kind: sum(worker[kind] for worker in found["large"]) - sum(worker[kind] for worker in found["tiny"])
        for kind in ("private", "proportional")
    }
    copies = {kind: grown[kind] / (large * MEBIBYTE) for kind in grown}
    threads = [worker["torch_threads"] for worker in found["large"]]
    print_document(
        "memory",
        options.quick,
        [
            Target("private copies in both workers together", copies["private"], 0.2, 0.1, better="lower"),
            Target("copies in both workers, shared pages divided", copies["proportional"], 1.2, 1.0, better="lower"),
            Target("threads of a worker", max(threads), 1, 1, better="lower"),
        ],
        setting={"dataset_mebibytes": large, "workers": WORKERS},
        copies_of_the_dataset=copies,
        workers_mebibytes={
            size: [
                {name: value if name == "torch_threads" else value / MEBIBYTE for name, value in worker.items()}
                for worker in workers
            ]
            for size, workers in found.items()
        },
        note="proportional set size divides a shared page among the processes that map it, Ray's store among them",
    )


def measured(folder: Path, mebibytes: dict[str, int]) -> dict[str, list[dict[str, float]]]:
    """Return the memory of two workers that have each trained an epoch, for each size of data set."""
    from tuner import trial
    from tuner.search import session

    configs = {name: made_config(folder / f"{name}.npz", size) for name, size in mebibytes.items()}
    with session.connected():
        return {
            name: memory_of_workers(config, trial.load_data(config, seed=0), folder / name)
            for name, config in configs.items()
        }


def made_config(file: Path, mebibytes: int) -> dict[str, Any]:
    """Write a data set of this size, and return the configuration of a short trial on it."""
    from tuner import trial

    count = mebibytes * MEBIBYTE // int(np.prod(IMAGE))
    images = np.random.default_rng(0).integers(256, size=(count, *IMAGE), dtype=np.uint8)
    few = images[:20]
    np.savez(file, images=images, labels=np.arange(count) % 2, test_images=few, test_labels=np.arange(20) % 2)
    return trial.resolve(
        {
            "dataset": {"name": "npz", "path": str(file), "validation_examples": 100},
            "model": {"name": "mlp", "hidden": [8]},
            "training": {"epochs": 2, "batch_size": 128},
            "mixing": "mixup",
        }
    )


def memory_of_workers(config: dict[str, Any], split: Any, folder: Path) -> list[dict[str, float]]:
    """Start two workers on one dataset, train an epoch in each at the same time, and return their memory."""
    import ray
    from ray import tune

    from tuner.search.worker import TrialActor

    class Measured(TrialActor):  # type: ignore[misc]
        def memory(self) -> dict[str, float]:
            import torch

            rollup = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
            kibibytes = {line.split(":")[0]: int(line.split()[1]) for line in rollup}
            peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
            return {
                "private": 1024 * (kibibytes["Private_Clean"] + kibibytes["Private_Dirty"]),
                "proportional": 1024 * kibibytes["Pss"],
                "peak_resident": 1024 * int(peak.split()[1]),
                "torch_threads": torch.get_num_threads(),
            }

    trainable = ray.remote(num_cpus=1)(tune.with_parameters(Measured, split=split))
    same = {"config": config, "epochs": 0, "pausing_epochs": ()}
    assigned = [{**same, "number": n, "seed": n, "checkpoint": str(folder / f"{n}.pt")} for n in range(WORKERS)]
    workers = [trainable.remote(config=one) for one in assigned]
    reports = ray.get([worker.train.remote() for worker in workers])
    failures = [report["failure"] for report in reports if "failure" in report]
    if failures:
        raise RuntimeError(f"a worker could not train: {failures[0]}")
    found: list[dict[str, float]] = ray.get([worker.memory.remote() for worker in workers])
    for worker in workers:
        ray.kill(worker)
    return found


if __name__ == "__main__":
    main()
