"""Strata: which trials a trial is compared with, so that slow early learning under strong mixing is no handicap."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from tuner import trial
from tuner.mixing import METHODS

Strata = Literal["strength", "method", "both", "none"]

_ALONE = {name for name, entry in METHODS.items() if entry.facts.counts == (1, 1)} - {"none"}

WEAK, MEDIUM = 0.1, 0.2
"""Bounds of the strength bands: Beta(0.2) has strength 0.10, Beta(0.6) 0.20, Beta(1) 0.25, Beta(8) 0.40."""


def stratum(config: Mapping[str, Any], strata: Strata) -> str:
    """Return the stratum of a resolved trial configuration.

    `strength` compares trials of like expected mixing strength, probability x E[1 - largest share], whatever their
    method: no mixing, and three bands above it. `both` compares those of one method, in two bands: where methods slow
    learning unlike each other at the same strength, nothing else is fair to them, but it stops fewer trials.
    """
    method = str(config["mixing"]["name"])
    if strata == "none":
        return "all"
    if strata == "method":
        return method
    band = _band(config)
    if strata == "strength" or band == "unmixed":
        return band
    return f"{method}, {'strong' if band == 'strong' else 'weak'}"


def _band(config: Mapping[str, Any]) -> str:
    strength = _strength(json.dumps(config["mixing"], sort_keys=True))
    if strength == 0:
        # Some change images without mixing them.
        return "weak" if config["mixing"]["name"] in _ALONE else "unmixed"
    if strength <= WEAK:
        return "weak"
    return "medium" if strength <= MEDIUM else "strong"


@cache
def _strength(mixing: str) -> float:
    """Return a policy's expected strength; a mean over many draws takes milliseconds, and is asked for repeatedly."""
    return trial.expected_strength({"mixing": json.loads(mixing)})
