"""What each categorical choice does to the objective: method, distribution, N, probability, depths.

A linear model for each factor, from the trials that ran to the end: their objective by the factor's levels and, as far
as the trials suffice, by everything else in which they differ, with t intervals. Trials are not drawn evenly: a sampler
tries more of what looked good, and what stopped early is missing. So these are hints; fresh seeds decide.

Ordinary least squares are a few lines of NumPy and SciPy here. statsmodels has them too, for 44 MB and two seconds of
imports; the tests hold ours against it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from tuner.results import TrialRecord, TrialState
from tuner.selection.observations import columns, varying
from tuner.selection.words import chance, counted, gain, interval

CONFIDENCE = 0.95

_LEAST_FREEDOM = 3
"""Trials beyond the levels that are left to judge the noise by: with fewer an interval is many times as wide as it."""

_FACTORS: Mapping[str, str] = {
    "method": "mixing.name",
    "distribution": "mixing.ratio.name",
    "N": "mixing.ratio.count",
    "probability": "mixing.probability",
    "depths": "mixing.depths",
}
_STRENGTHS = ("mixing.ratio.alpha", "mixing.ratio.sigma", "mixing.ratio.gamma")
_SOURCES_OF_BETA = 2  # Beta(alpha, alpha) is the Dirichlet distribution of two sources

Matrix = Float[np.ndarray, "trials columns"]


@dataclass(frozen=True)
class Level:
    """One value of a factor: how much better it is than the factor's levels on average, with an interval.

    Positive is better, whichever way the objective goes. `mean` is the objective that the model expects of it, all
    else being as it was on average.
    """

    value: str
    trials: int
    mean: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Effect:
    """What a factor does; `p_value` is for no difference between its levels, None where it cannot be told.

    `left_out` are settings in which the trials differ too, but which these trials do not suffice to adjust for.
    """

    factor: str
    levels: tuple[Level, ...]
    p_value: float | None
    freedom: int
    adjusted_for: tuple[str, ...]
    left_out: tuple[str, ...]
    words: str

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def effects(trials: Sequence[TrialRecord], *, metric: str, maximise: bool) -> tuple[Effect, ...]:
    """Return the effect of every factor that has more than one level among the mixed trials that ran to the end."""
    finished = [trial for trial in trials if trial.state is TrialState.COMPLETE and math.isfinite(trial.curve[-1])]
    mixed = sorted((one for one in finished if _level(one, "method") != "none"), key=lambda trial: trial.number)
    found = []
    for factor in _FACTORS:
        having = [trial for trial in mixed if _level(trial, factor) is not None]
        if len({_level(trial, factor) for trial in having}) > 1:
            found.append(_effect(factor, having, metric, 1 if maximise else -1))
    return tuple(found)


def _effect(factor: str, trials: Sequence[TrialRecord], metric: str, sign: int) -> Effect:
    own = [str(_level(trial, factor)) for trial in trials]
    names = sorted(set(own), key=_size)
    levels = np.array([[name == one for name in names] for one in own], dtype=float)
    design, taken, left_out = _adjusted(levels, trials, _FACTORS[factor])
    freedom = len(trials) - int(np.linalg.matrix_rank(design))
    if freedom < _LEAST_FREEDOM:
        words = f"{factor}: {counted(len(trials), 'trial')} that ran to the end cannot tell {_listed(names)} apart"
        return Effect(factor, (), None, freedom, taken, left_out, words)
    fit = _fit(design, sign * np.array([trial.curve[-1] for trial in trials]), freedom)
    contrasts = np.zeros((len(names), design.shape[1]))
    contrasts[:, : len(names)] = np.eye(len(names)) - 1 / len(names)
    differences, errors = contrasts @ fit.coefficients, _errors(contrasts, fit.covariance)
    margin = stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * errors
    found = tuple(
        Level(name, own.count(name), *map(float, (sign * mean, difference, difference - reach, difference + reach)))
        for name, mean, difference, reach in zip(names, fit.coefficients, differences, margin, strict=False)
    )
    p_value = _p_value(contrasts[1:], fit, freedom)
    return Effect(factor, found, p_value, freedom, taken, left_out, _words(factor, found, p_value, metric))


@dataclass(frozen=True)
class _Fit:
    """A linear model's coefficients, the levels' first, and their covariance."""

    coefficients: Float[np.ndarray, " columns"]
    covariance: Float[np.ndarray, "columns columns"]


def _adjusted(
    levels: Matrix, trials: Sequence[TrialRecord], own: str
) -> tuple[Matrix, tuple[str, ...], tuple[str, ...]]:
    """Return the design with what is adjusted for, which that is, and what is left out.

    A setting is left out where it would leave less than half of the trials to judge the noise by, or where some of the
    factor's levels could not be told from it.
    """
    design = levels
    taken: list[str] = []
    left_out: list[str] = []
    for name in sorted((name for name in varying(trials) if name != own), key=_order):
        wider = np.hstack([design, _columns(trials, name)])
        beside = np.hstack([np.ones((len(trials), 1)), wider[:, levels.shape[1] :]])
        rank = int(np.linalg.matrix_rank(wider))
        if rank == np.linalg.matrix_rank(design):
            continue  # the levels, or what is adjusted for already, say the same
        is_told_apart = rank - int(np.linalg.matrix_rank(beside)) == levels.shape[1] - 1
        if is_told_apart and len(trials) - rank >= max(_LEAST_FREEDOM, len(trials) / 2):
            design, taken = wider, [*taken, name]
        else:
            left_out.append(name)
    return design, tuple(taken), tuple(left_out)


def _columns(trials: Sequence[TrialRecord], name: str) -> Matrix:
    """Return a setting's columns; the ratio's own parameter has its logarithm and the square of it."""
    if name not in _STRENGTHS:
        return columns(trials, [name])
    values = np.array([_positive(trial.params.get(name)) for trial in trials])
    given = values > 0
    if not given.any():
        return np.zeros((len(trials), 0))
    logarithms = np.log(np.where(given, values, 1.0))
    away = np.where(given, logarithms - logarithms[given].mean(), 0.0)
    return np.column_stack([away, np.where(given, away**2 - (away[given] ** 2).mean(), 0.0)])


def _positive(value: Any) -> float:
    """Return a number as it is, and 0 for anything that has no logarithm."""
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0


def _fit(design: Matrix, values: Float[np.ndarray, " trials"], freedom: int) -> _Fit:
    """Return ordinary least squares; columns that are not independent share what they explain."""
    inverse = np.linalg.pinv(design)
    coefficients = inverse @ values
    left = values - design @ coefficients
    return _Fit(coefficients, left @ left / freedom * inverse @ inverse.T)


def _errors(contrasts: Float[np.ndarray, "contrasts columns"], covariance: Matrix) -> Float[np.ndarray, " contrasts"]:
    errors: Float[np.ndarray, " contrasts"] = np.sqrt(np.einsum("ij,jk,ik->i", contrasts, covariance, contrasts))
    return errors


def _p_value(contrasts: Float[np.ndarray, "contrasts columns"], fit: _Fit, freedom: int) -> float | None:
    """Return that of the F test that all contrasts are 0; none where the model leaves no noise to judge by."""
    differences = contrasts @ fit.coefficients
    covariance = contrasts @ fit.covariance @ contrasts.T
    if np.linalg.matrix_rank(covariance) < len(contrasts):
        return None
    statistic = differences @ np.linalg.solve(covariance, differences) / len(contrasts)
    return float(stats.f.sf(statistic, len(contrasts), freedom))


def _words(factor: str, levels: Sequence[Level], p_value: float | None, metric: str) -> str:
    names = _listed([level.value for level in levels])
    finished = counted(sum(level.trials for level in levels), "trial")
    if p_value is None or p_value >= 1 - CONFIDENCE:
        told = "" if p_value is None else f" ({chance(p_value)})"
        return f"{factor}: {finished} that ran to the end cannot tell {names} apart{told}"
    best = max(levels, key=lambda level: level.difference)
    ahead = f"{gain(metric, best.difference)} against {names} on average, {interval(metric, best.low, best.high)}"
    return f"{factor}: {best.value} is best, {ahead} ({chance(p_value)}, {finished} that ran to the end)"


def _level(trial: TrialRecord, factor: str) -> str | None:
    """Return a trial's level of a factor as text, none where it has none; N is that of Beta's and Dirichlet's alone."""
    value = trial.params.get(_FACTORS[factor])
    if factor == "N":
        law = trial.params.get("mixing.ratio.name")
        value = _SOURCES_OF_BETA if law == "beta" else value if law == "dirichlet" else None
    if value is None and factor in ("method", "distribution"):
        value = trial.params.get(_FACTORS[factor].removesuffix("name") + "import")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return None if value is None else str(value)


def _order(name: str) -> tuple[int, str]:
    """Return what sorts settings by how much they matter for what is known: method, distribution, alpha, the others."""
    first = ("mixing.name", "mixing.ratio.name", *_STRENGTHS, *_FACTORS.values())
    return first.index(name) if name in first else len(first), name


def _size(name: str) -> tuple[float, int, str]:
    """Return what sorts levels: numbers by size, lists by their first number and length, names by the alphabet."""
    try:
        return float(name.strip("[]").partition(",")[0]), len(name), name
    except ValueError:
        return math.inf, 0, name


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
