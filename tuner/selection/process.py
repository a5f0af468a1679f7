"""A Gaussian process of the objective over one parameter, averaged over its hyperparameters.

With the 5 to 20 trainings that a curve has to do with, the likeliest hyperparameters alone are overconfident (numbers:
tests/benchmarks/response.py). So they are drawn from broad priors and weighed by their likelihood, and what comes out
are curves under all of them. The draws are of a fixed sequence: the same trials give the same curves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp, ndtr, ndtri
from scipy.stats import multivariate_normal, qmc
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

_PRIORS = {
    "length": (0.15, 1.0),
    "signal": (0.2, 12.0),
    "noise": (0.05, 2.5),
    "other": (0.1, 1.0),
    "shift": (0.05, 1.0),
    "jitter": (0.2, 1.2),
}
"""Bounds of the hyperparameters, whose logarithms are uniform between them; `_Covariance` says what they are."""

_NOISE = list(_PRIORS).index("noise")

_DRAWS = 128  # of the hyperparameters, twice; a power of 2, as Sobol's sequence wants
_CURVES = 2000
_ALMOST_NOTHING = 1e-6  # added to variances, so that rounding leaves the matrices positive

Matrix = Float[np.ndarray, "rows columns"]
Vector = Float[np.ndarray, " values"]


@dataclass(frozen=True)
class Observations:
    """Values of the objective, each of one trial after some epochs, as columns of equal length.

    `place` is the parameter: 0 at the lower end of the searched range, 1 at the upper. `fidelity` is 0 for whole
    trainings, and 1, 2 ... for fewer epochs. `spread` says how far values of that fidelity lie apart, and is 0 for
    whole trainings; theirs is `scale`. `others` are the trial's other settings, each column 0 on average.
    """

    place: Float[np.ndarray, " rows"]
    fidelity: Float[np.ndarray, " rows"]
    spread: Float[np.ndarray, " rows"]
    trial: Float[np.ndarray, " rows"]
    others: Float[np.ndarray, "rows settings"]
    value: Float[np.ndarray, " rows"]
    scale: float


@dataclass(frozen=True)
class Posterior:
    """Curves that the observations leave possible, and with each the standard deviation of one training's luck."""

    curves: Float[np.ndarray, "curves places"]
    noise: Float[np.ndarray, " curves"]


def posterior(observed: Observations, places: Float[np.ndarray, " places"]) -> Posterior:
    """Return equally likely curves of whole trainings over `places`, at the mean of the trials' other settings."""
    columns = [observed.place, observed.fidelity, observed.spread / observed.scale, observed.trial, observed.others]
    rows = np.column_stack(columns)
    middle = observed.value[observed.fidelity == 0].mean()
    target = (observed.value - middle) / observed.scale
    asked = np.zeros((len(places), rows.shape[1]))
    asked[:, 0], asked[:, 3] = places, -1
    drawn, weights = _hyperparameters(_process(np.ones(len(_PRIORS))).fit(rows, target))
    counts = np.diff(np.floor(np.cumsum(weights) * _CURVES + 0.5), prepend=0).astype(int)
    rng = np.random.default_rng(0)
    curves = [
        _curves(_process(values).fit(rows, target), asked, count, rng)
        for values, count in zip(drawn, counts, strict=True)
        if count
    ]
    noise = np.repeat(drawn[:, _NOISE], counts)
    return Posterior(middle + observed.scale * np.concatenate(curves), observed.scale * noise)


class _Covariance(Kernel):  # type: ignore[misc]
    """The covariance of rows of place, fidelity, spread, trial and other settings, in units of the scale.

    A whole training's value is a curve (`length` is over what part of the range it changes, `signal` by how much), the
    effects of its other settings (`other`), which may grow or fall along the range, and its luck (`noise`). After fewer
    epochs it is that, and besides, in units of the spread, what is of those epochs alone: another curve (`shift`), a
    level and a slope of which nothing is presumed, for strong mixing learns slowly at first, and each trial's `jitter`.
    So a stopped trial tells of the whole training what its epochs have in common with it in the trials that have both.

    Source: Kennedy and O'Hagan, Predicting the output from a complex computer code when fast approximations are
    available (Biometrika 87, 2000), with the cheap value explained by the dear one.
    """

    def __init__(self, values: Vector) -> None:
        self.values = values

    @property
    def hyperparameter_values(self) -> Hyperparameter:
        return Hyperparameter("values", "numeric", np.array(list(_PRIORS.values())), len(_PRIORS))

    def __call__(self, rows: Matrix, columns: Matrix | None = None) -> Matrix:
        columns = rows if columns is None else columns
        length, signal, noise, other, shift, jitter = self.values
        place, fidelity, trial = (np.subtract.outer(rows[:, k], columns[:, k]) for k in (0, 1, 3))
        near, same_trial = np.exp(-((place / length) ** 2) / 2), trial == 0
        slope = np.multiply.outer(rows[:, 0] - 0.5, columns[:, 0] - 0.5)
        others = rows[:, 4:] @ columns[:, 4:].T * (1 + 4 * slope)
        whole = signal**2 * near + noise**2 * same_trial + other**2 * others
        early = shift**2 * near + jitter**2 * same_trial + 9 + 25 * slope
        of_epochs = np.multiply.outer(rows[:, 2], columns[:, 2]) * early
        of_whole = 9.0 * np.multiply.outer(rows[:, 1] == 0, columns[:, 1] == 0)
        covariance: Matrix = whole + (fidelity == 0) * of_epochs + of_whole
        return covariance

    def diag(self, rows: Matrix) -> Vector:
        return np.diag(self(rows)).copy()

    def is_stationary(self) -> bool:
        return False


def _process(values: Vector) -> GaussianProcessRegressor:
    return GaussianProcessRegressor(_Covariance(values), alpha=_ALMOST_NOTHING, optimizer=None)


def _hyperparameters(process: GaussianProcessRegressor) -> tuple[Matrix, Vector]:
    """Return hyperparameters and their weights, drawn from the priors and then from where those were likely.

    They are drawn as normal variables, of which the priors are functions; each counts by its likelihood, times how
    much less often it was drawn than the priors would have.
    """
    first, second = (ndtri(qmc.Sobol(len(_PRIORS), rng=seed).random(_DRAWS)) for seed in (0, 1))
    likelihoods = _likelihoods(process, first)
    weights = _normalised(likelihoods)
    away = first - weights @ first
    prior = multivariate_normal(np.zeros(len(_PRIORS)))
    likely = multivariate_normal(weights @ first, 1.5 * (away.T * weights) @ away + 0.05 * np.eye(len(_PRIORS)))
    points = np.concatenate([first, likely.mean + second @ np.linalg.cholesky(likely.cov).T])
    likelihoods = np.concatenate([likelihoods, _likelihoods(process, points[_DRAWS:])])
    drawn_from = np.logaddexp(prior.logpdf(points), likely.logpdf(points))
    return np.exp(_logarithms(points)), _normalised(likelihoods + prior.logpdf(points) - drawn_from)


def _likelihoods(process: GaussianProcessRegressor, points: Matrix) -> Vector:
    return np.array([process.log_marginal_likelihood(theta, clone_kernel=False) for theta in _logarithms(points)])


def _logarithms(points: Matrix) -> Matrix:
    """Return the hyperparameters' logarithms, uniform within their bounds where the points are normal."""
    low, high = np.log(list(_PRIORS.values())).T
    logarithms: Matrix = low + ndtr(points) * (high - low)
    return logarithms


def _normalised(logarithms: Vector) -> Vector:
    weights: Vector = np.exp(logarithms - logsumexp(logarithms))
    return weights


def _curves(process: GaussianProcessRegressor, asked: Matrix, count: int, rng: np.random.Generator) -> Matrix:
    mean, covariance = process.predict(asked, return_cov=True)
    own = (
        covariance - process.kernel_.values[_NOISE] ** 2
    )  # the rows asked for are of one new trial, and share its luck
    root = np.linalg.cholesky(own + _ALMOST_NOTHING * np.eye(len(mean)))
    curves: Matrix = mean + rng.standard_normal((count, len(mean))) @ root.T
    return curves
