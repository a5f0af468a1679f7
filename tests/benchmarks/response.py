"""How true the curve over alpha is, on simulated studies whose answer is known (tests/selection/alphas.py).

Beside ours: the same from the finished trials alone, and scikit-learn's Gaussian process as it comes, at the likeliest
hyperparameters, from the finished trials or with the epochs as a second input. Accuracies are in points.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from measure import Target, arguments, print_document
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from tests.selection.alphas import EPOCHS, HIGH, LOW, Truth, study
from tuner.results import TrialRecord, TrialState
from tuner.selection.response import CERTAINTY, MARGIN, Response, responses

TRUTHS = {
    "2 points": Truth(gain=0.02),
    "2 points, slow": Truth(gain=0.02, slow=1.5),
    "half a point": Truth(gain=0.005),
    "flat": Truth(gain=0.0),
    "best at the end": Truth(gain=0.02, best=HIGH),
    "2 points, and 1 for the probability": Truth(gain=0.02, probable=0.01),
}
ALPHAS = np.geomspace(LOW, HIGH, 61)
SEARCHED = {("mixup", "beta"): (LOW, HIGH)}


@dataclass(frozen=True)
class Found:
    """What a variant makes of a study: mean and band over `ALPHAS`, and the interval of alpha that is as good."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    interval: tuple[float, float]
    warns: bool = False


def main() -> None:
    parser = arguments("how true the curve over alpha and its interval are, on simulated studies")
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--trials", type=int, nargs="+", default=[20, 40])
    parser.add_argument("--only", choices=VARIANTS, action="append", help="variants; all, if not given")
    parser.add_argument("--truth", choices=TRUTHS, action="append", help="truths; all, if not given")
    options = parser.parse_args()
    studies, sizes = (2, [40]) if options.quick else (options.studies, options.trials)
    variants = ["ours"] if options.quick else options.only or list(VARIANTS)
    truths = list(TRUTHS)[:1] if options.quick else options.truth or list(TRUTHS)
    found = {
        f"{name}, {size} trials": {variant: run(TRUTHS[name], size, studies, VARIANTS[variant]) for variant in variants}
        for name in truths
        for size in sizes
    }
    ours = [one["ours"] for one in found.values() if "ours" in one]
    print_document(
        "response",
        options.quick,
        [
            Target("worst share of intervals with the best alpha", min(one["covers"] for one in ours), 0.90, 0.95),
            Target("worst share of the range where the band covers", min(one["band"] for one in ours), 0.80, 0.95),
        ]
        if ours
        else [],
        setting={"studies": studies, "certainty": CERTAINTY, "margin": MARGIN, "range": [LOW, HIGH]},
        truths=found,
    )


def run(truth: Truth, trials: int, studies: int, variant: Callable[[Sequence[TrialRecord]], Found | None]) -> Any:
    """Return means over studies.

    `covers` is the share of intervals that hold the best alpha, `band` the share of the range where the band holds the
    truth, `width` the interval's share of the range, `worth` the share of the interval that is less than one seed's
    deviation worse than the best, `regret` what the alpha of the best mean is worse than the best.
    """
    start, rows = time.process_time(), []
    for seed in range(studies):
        done = study(truth, trials, seed)
        found = variant(done)
        if found is not None:
            rows.append(compared(found, truth) | {"finished": sum(one.state is TrialState.COMPLETE for one in done)})
    means = {name: statistics.fmean(row[name] for row in rows) for name in rows[0]}
    return {**means, "too_few": studies - len(rows), "seconds": (time.process_time() - start) / studies}


def compared(found: Found, truth: Truth) -> dict[str, float]:
    """Return one study's row."""
    true, step = truth.final(ALPHAS), ALPHAS[1] / ALPHAS[0]
    best, inside = ALPHAS[true.argmax()], (found.interval[0] <= ALPHAS) & (found.interval[1] >= ALPHAS)
    return {
        "covers": float(found.interval[0] / step**0.5 <= best <= found.interval[1] * step**0.5),
        "band": float(np.mean((found.low <= true) & (true <= found.high))),
        "error": 100 * float(np.sqrt(np.mean((found.mean - true) ** 2))),
        "width": float(np.log(found.interval[1] / found.interval[0]) / np.log(HIGH / LOW)),
        "worth": float(np.mean(true.max() - true[inside] <= truth.noise)),
        "regret": 100 * float(true.max() - true[found.mean.argmax()]),
        "warns": float(found.warns),
    }


def ours(trials: Sequence[TrialRecord]) -> Found | None:
    """Return what `responses` finds."""
    [response] = responses(trials, maximise=True, searched=SEARCHED)
    return _found(response)


def finished_alone(trials: Sequence[TrialRecord]) -> Found | None:
    """Return what `responses` finds without the stopped trials."""
    return ours([trial for trial in trials if trial.state is TrialState.COMPLETE])


def likeliest(trials: Sequence[TrialRecord]) -> Found | None:
    """Return scikit-learn's process of the finished trials at its likeliest hyperparameters."""
    finished = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    return _likeliest(np.array([[_place(trial)] for trial in finished]), finished, np.linspace(0, 1, 61)[:, None])


def two_inputs(trials: Sequence[TrialRecord]) -> Found | None:
    """Return scikit-learn's process of alpha and the logarithm of the epochs, of every trial's last value."""
    inputs = np.array([[_place(trial), np.log(trial.epochs / EPOCHS)] for trial in trials])
    return _likeliest(inputs, trials, np.column_stack([np.linspace(0, 1, 61), np.zeros(61)]))


VARIANTS = {"ours": ours, "finished alone": finished_alone, "likeliest": likeliest, "two inputs": two_inputs}


def _likeliest(inputs: np.ndarray, trials: Sequence[TrialRecord], asked: np.ndarray) -> Found:
    lengths = RBF([0.3] * inputs.shape[1], (0.1, 10))
    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * lengths + WhiteKernel(0.1, (1e-6, 10))
    process = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hyperparameters at their bounds
        process.fit(inputs, [trial.curve[-1] for trial in trials])
    mean, covariance = process.predict(asked, return_cov=True)
    variance = process.kernel_.k2.noise_level * process._y_train_std**2
    rng = np.random.default_rng(0)
    curves = rng.multivariate_normal(
        mean, covariance - variance * np.eye(61), 1000, method="eigh", check_valid="ignore"
    )
    apart = (curves.max(axis=1, keepdims=True) - curves > MARGIN * variance**0.5).mean(axis=0) >= CERTAINTY
    best = int(mean.argmax())
    first = max(np.flatnonzero(apart[:best]), default=-1) + 1
    last = best + min(np.flatnonzero(apart[best:]), default=61 - best) - 1
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    return Found(mean, low, high, (float(ALPHAS[min(first, best)]), float(ALPHAS[max(last, best)])))


def _found(response: Response) -> Found | None:
    if response.curve is None or response.interval is None:
        return None
    curve = response.curve
    lines = (np.array(line) for line in (curve.mean, curve.low, curve.high))
    return Found(*lines, response.interval, any("widen" in words for words in response.warnings))


def _place(trial: TrialRecord) -> float:
    return float(np.log(trial.params["mixing.ratio.alpha"] / LOW) / np.log(HIGH / LOW))


if __name__ == "__main__":
    main()
