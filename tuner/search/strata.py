"""Strata: which trials a trial is compared with, so that slow early learning under strong mixing is no handicap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tuner import trial
from tuner.mixing import METHODS

Strata = Literal["strength", "method", "none"]

_ALONE = {name for name, entry in METHODS.items() if entry.facts.counts == (1, 1)} - {"none"}

WEAK, MEDIUM = 0.1, 0.2
"""Bounds of the strength bands: Beta(0.2) has strength 0.10, Beta(0.6) 0.20, Beta(1) 0.25, Beta(8) 0.40."""


def stratum(config: Mapping[str, Any], strata: Strata) -> str:
    """Return the stratum of a resolved trial configuration.

    `strength` compares trials of like expected mixing strength, probability x E[1 - largest share], whatever their
    method: no mixing, and three bands above it.
    """
    if strata == "none":
        return "all"
    if strata == "method":
        return str(config["mixing"]["name"])
    strength = trial.expected_strength(config)
    if strength == 0 and config["mixing"]["name"] in _ALONE:
        return "weak"  # it changes images without mixing them
    if strength == 0:
        return "unmixed"
    if strength <= WEAK:
        return "weak"
    return "medium" if strength <= MEDIUM else "strong"
