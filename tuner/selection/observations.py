"""Trials as observations of the objective over one parameter: whole trainings, and the epochs where others stopped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from tuner.results import TrialRecord, TrialState
from tuner.selection.process import Observations

MOST_TRIALS = 40
"""Trials that are looked at of those that ran to the end, and of those that were stopped: time grows with the cube."""

_MOST_FIDELITIES = 4
_LEAST_SCALE = 1e-6


def observations(
    trials: Sequence[TrialRecord], places: Mapping[int, float], settings: Sequence[str], maximise: bool
) -> Observations:
    """Return the trials' values, larger being better; `places` are the parameter's by trial number.

    Every trial is seen after each of the epochs at which others were stopped, as far as it got, and at its end if it
    got there. Of very many trials some are taken, evenly along the parameter.
    """
    ordered = sorted(trials, key=lambda trial: (places[trial.number], trial.number))
    finished = _evenly([trial for trial in ordered if trial.state is TrialState.COMPLETE])
    stopped = _evenly([trial for trial in ordered if trial.state is TrialState.PRUNED])
    sign = 1 if maximise else -1
    finals = sign * np.array([trial.curve[-1] for trial in finished])
    rows = [(trial.number, 0.0, 0.0, value) for trial, value in zip(finished, finals, strict=True)]
    for fidelity, epoch in enumerate(_fidelities(stopped), start=1):
        seen = [trial for trial in [*finished, *stopped] if trial.epochs >= epoch]
        values = sign * np.array([trial.curve[epoch - 1] for trial in seen])
        spread = _spread(np.array([places[trial.number] for trial in seen]), values)
        level = finals.mean() - values.mean()
        rows += [(t.number, float(fidelity), spread, v) for t, v in zip(seen, values + level, strict=True)]
    numbers, fidelities, spreads, objective = (np.array(column) for column in zip(*rows, strict=True))
    scale = max(float(finals.std(ddof=1)), spreads.max() / 20, _LEAST_SCALE)
    others = dict(zip((one.number for one in finished + stopped), columns(finished + stopped, settings), strict=True))
    return Observations(
        place=np.array([places[number] for number in numbers]),
        fidelity=fidelities,
        spread=np.where(fidelities > 0, spreads.clip(min=scale / 3), 0.0),
        trial=numbers.astype(float),
        others=np.array([others[number] for number in numbers]),
        value=objective,
        scale=scale,
    )


def varying(trials: Sequence[TrialRecord]) -> tuple[str, ...]:
    """Return the parameters in which trials differ, in order."""
    names = sorted({name for trial in trials for name in trial.params})
    return tuple(name for name in names if len({_key(trial.params.get(name)) for trial in trials}) > 1)


def columns(trials: Sequence[TrialRecord], settings: Sequence[str]) -> Float[np.ndarray, "trials columns"]:
    """Return settings as columns, 0 on average: numbers as one of deviation 1, anything else one for each value."""
    found = [column for name in settings for column in _setting([trial.params.get(name) for trial in trials])]
    return np.array(found).reshape(len(found), len(trials)).T


def _evenly(trials: list[TrialRecord]) -> list[TrialRecord]:
    if len(trials) <= MOST_TRIALS:
        return trials
    return [trials[index] for index in np.linspace(0, len(trials) - 1, MOST_TRIALS).round().astype(int)]


def _fidelities(stopped: Sequence[TrialRecord]) -> list[int]:
    """Return the epochs after which most trials were stopped; the others' last values are left out."""
    counts = Counter(trial.epochs for trial in stopped if trial.epochs)
    return sorted(sorted(counts, key=lambda epoch: (-counts[epoch], epoch))[:_MOST_FIDELITIES])


def _spread(places: Float[np.ndarray, " trials"], values: Float[np.ndarray, " trials"]) -> float:
    """Return the standard deviation around a line over the parameter, or around the mean where there are few."""
    lines = np.vander(places, 2) if len(places) > 3 else np.ones((len(places), 1))
    left = values - lines @ np.linalg.lstsq(lines, values, rcond=None)[0]
    return float(np.sqrt(left @ left / max(1, len(places) - lines.shape[1])))


def _setting(values: Sequence[Any]) -> list[Float[np.ndarray, " trials"]]:
    """Return one setting's columns; numbers that span a factor of ten count by their logarithms."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        numbers = np.array(values, dtype=float)
        if numbers.min() > 0 and numbers.max() >= 10 * numbers.min():
            numbers = np.log(numbers)
        return [(numbers - numbers.mean()) / (numbers.std() or 1)]
    keys = [_key(value) for value in values]
    indicators = [np.array([key == level for key in keys], dtype=float) for level in sorted(set(keys))]
    return [column - column.mean() for column in indicators]


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
