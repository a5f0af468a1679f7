"""What is known of how the objective answers to alpha, and how that is told to people."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from tuner.selection.observations import MOST_TRIALS
from tuner.selection.words import counted

_UNSEEN = 1 / 6
"""The part of the range, by the logarithm, that is worth a warning: as good, but no trial there ran to the end."""

Range = tuple[float, float]


@dataclass(frozen=True)
class Point:
    """One trial: its value of the parameter and its last objective, which is final only where it is `complete`."""

    number: int
    value: float
    objective: float
    epochs: int
    complete: bool


@dataclass(frozen=True)
class Curve:
    """The objective over the parameter: its mean and the ends of its band, at the average of all other settings."""

    values: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Response:
    """What is known of one method and distribution; curve, best and interval are None where that is too little.

    `noise` is the standard deviation of one training's luck; `adjusted_for` are the other settings in which the trials
    differ, and whose effects the curve leaves out.
    """

    method: str
    distribution: str
    parameter: str
    searched: Range
    points: tuple[Point, ...]
    curve: Curve | None
    best: float | None
    interval: Range | None
    noise: float | None
    adjusted_for: tuple[str, ...]
    words: str
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        interval = None if self.interval is None else dict(zip(("low", "high"), self.interval, strict=True))
        return {**asdict(self), "interval": interval}


def too_few(response: Response, needed: int) -> str:
    """Say why there is no curve."""
    finished = len({point.value for point in response.points if point.complete})
    had = f"trials ran to the end at {counted(finished, 'value')} of {response.parameter}"
    return f"{_name(response)}: {had}; a curve needs {needed}"


def verdict(response: Response) -> str:
    """Say which interval is as good as the best, and on what that rests."""
    if response.interval is None or response.best is None:
        return ""
    what = f"{response.parameter} from {response.interval[0]:.2g} to {response.interval[1]:.2g}"
    is_whole = response.interval == response.searched
    found = f"no {what} is worse than another" if is_whole else f"{what} is as good as the best, {response.best:.2g}"
    finished = sum(point.complete for point in response.points)
    stopped = len(response.points) - finished
    rests = f"{_looked_at(finished)} that ran to the end and {_looked_at(stopped)} that were stopped"
    return f"{_name(response)}: {found}, as far as {rests} can tell"


def warnings(response: Response, beyond: int | None) -> tuple[str, ...]:
    """Say what of the interval is a guess, and where the best may lie `beyond` an end of the range: 0, 1 or none."""
    return (*_guesses(response), *(() if beyond is None else (_wider(response, beyond),)))


def _looked_at(trials: int) -> str:
    """Say how many trials tell of the curve: of very many only some do."""
    return counted(trials, "trial") if trials <= MOST_TRIALS else f"{MOST_TRIALS} of {trials} trials"


def _guesses(response: Response) -> list[str]:
    """Return words for each end of the interval that stopped trials alone tell of."""
    if response.interval is None:
        return []
    finished = [point.value for point in response.points if point.complete]
    (low, high), first, last = response.interval, min(finished), max(finished)
    least = (response.searched[1] / response.searched[0]) ** _UNSEEN
    ends = [
        (f"below {first:.2g} ran to the end; that {low:.2g}", first / low),
        (f"above {last:.2g} ran to the end; that {high:.2g}", high / last),
    ]
    start = f"{_name(response)}: no trial with {response.parameter}"
    return [f"{start} {where} is as good is a guess" for where, factor in ends if factor > least]


def _wider(response: Response, end: int) -> str:
    low, high = response.searched
    further = (high / low) ** (1 / 3)
    where, wider = (
        (f"below {low:g}", (_round(low / further, math.floor), high)),
        (f"above {high:g}", (low, _round(high * further, math.ceil))),
    )[end]
    return (
        f"{_name(response)}: the best {response.parameter} may lie {where}, the end of the searched range; "
        f"widen {response.parameter} to {wider[0]:g} .. {wider[1]:g}"
    )


def _round(value: float, direction: Callable[[float], int]) -> float:
    """Return the next of ... 0.1 0.2 0.5 1 2 5 ... in a direction."""
    steps = [float(f"{digit}e{power}") for power in range(-12, 13) for digit in (1, 2, 5)]
    place = bisect(steps, value) - 1
    return steps[place if direction is math.floor or steps[place] == value else place + 1]


def _name(response: Response) -> str:
    return f"{response.method} ({response.distribution})"
