"""The Keras example's two trainings, mixup with alpha 0.2 and none, from the same initial weights, on the test split.

The article has 85.82 % test accuracy with mixup and 86.92 % without, one run each. Here every seed trains both, so that
the difference is paired. A search never opens the test split; this script may, because nothing is chosen by it.
"""

from __future__ import annotations

import os
import statistics
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from measure import arguments, print_document

ARTICLE = {"mixup": 85.82, "none": 86.92}
_QUICK = ("trial.dataset.train_examples=2000", "trial.training.epochs=1")
"""A quick run trains on few images, and in this process."""


def main() -> None:
    parser = arguments("test accuracy of the Keras example's two configurations")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from the study file's own on (default 3)")
    options = parser.parse_args()
    seeds = 1 if options.quick else options.seeds
    overrides = _QUICK if options.quick else ()
    jobs = [(name, seed, overrides) for seed in range(seeds) for name in ARTICLE]
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), mp_context=get_context("spawn")) as processes:
        runs = list(map(train_and_test, jobs) if options.quick else processes.map(train_and_test, jobs))
    accuracies = {name: [run["test_accuracy"] for run in runs if run["mixing"] == name] for name in ARTICLE}
    gains = [mixed - none for mixed, none in zip(accuracies["mixup"], accuracies["none"], strict=True)]
    print_document(
        "keras_example",
        options.quick,
        [],
        unit="percent of the 10,000 test images",
        runs=runs,
        test_accuracy={name: {"seeds": values, **spread(values)} for name, values in accuracies.items()},
        mixup_minus_none={"seeds": gains, **spread(gains)},
        article={**ARTICLE, "mixup_minus_none": ARTICLE["mixup"] - ARTICLE["none"]},
    )


def train_and_test(job: tuple[str, int, tuple[str, ...]]) -> dict[str, Any]:
    """Train one of the study file's configurations with a seed added to its own, and score it on the test split."""
    import torch

    from tuner import space, spec, trial
    from tuner.training import DeviceSplit

    name, seed, overrides = job
    torch.set_num_threads(1)
    study = spec.load("keras_example", overrides)
    configs = [trial.resolve(corner.config) for corner in space.corners(study.trial)]
    config = next(config for config in configs if config["mixing"]["name"] == name)
    split = trial.load_data(config, study.seed)
    training = trial.build(config, split, study.seed + seed)
    first_weights = sum(float(weights.detach().abs().sum()) for weights in training.model.parameters())
    validation = trial.validation_split(split)
    epochs = [training.run_epoch(validation) for _ in range(training.recipe.epochs)]
    test = split.load_test()
    scores = training.evaluate(DeviceSplit(test.images, test.labels, torch.device("cpu")))
    return {
        "mixing": name,
        "seed": study.seed + seed,
        "sum_of_absolute_initial_weights": first_weights,
        "training_images": len(split.training),
        "epochs": len(epochs),
        "test_accuracy": 100 * scores.accuracy,
        "test_nll": scores.nll,
        "test_ece": scores.ece,
        "validation_accuracy": [100 * metrics.val_accuracy for metrics in epochs],
        "seconds": sum(metrics.seconds for metrics in epochs),
        "examples_per_second": statistics.median(metrics.examples_per_second for metrics in epochs),
    }


def spread(values: list[float]) -> dict[str, float | None]:
    """Return the mean and, from two values on, the standard deviation between seeds and the mean's standard error."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    error = deviation / len(values) ** 0.5 if deviation is not None else None
    return {"mean": statistics.mean(values), "standard_deviation": deviation, "standard_error": error}


if __name__ == "__main__":
    main()
