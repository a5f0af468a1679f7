"""Which trials a figure draws, of more than a reader could tell apart and a page should hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuner.results import TrialRecord, TrialState
from tuner.selection.words import counted

MOST = 40
"""Trials that ran to the end, and that were stopped, that are drawn of each."""


def chosen(trials: Sequence[TrialRecord], *, maximise: bool) -> list[TrialRecord]:
    """Return trials evenly over the study, the best and the first without mixing among them."""
    begun = [one for one in trials if one.curve]
    complete = [one for one in begun if one.state is TrialState.COMPLETE]
    others = [one for one in begun if one.state is not TrialState.COMPLETE]
    best = (max if maximise else min)(complete, key=lambda one: one.curve[-1], default=None)
    unmixed = next((one for one in complete if one.params.get("mixing.name") == "none"), None)
    numbers = {one.number for one in [*_evenly(complete), *_evenly(others), best, unmixed] if one is not None}
    return [one for one in begun if one.number in numbers]


def of_all(drawn: Sequence[TrialRecord], trials: Sequence[TrialRecord]) -> str:
    """Say how many trials are drawn, where these are not all."""
    begun = sum(bool(one.curve) for one in trials)
    if len(drawn) == begun:
        return ""
    return f" Drawn are {len(drawn)} of {counted(begun, 'trial')}, evenly over the study, with the best."


def _evenly(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    steps = np.linspace(0, len(trials) - 1, min(len(trials), MOST)).round().astype(int)
    return [trials[step] for step in steps]
