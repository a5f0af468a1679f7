"""Recorded learning curves: a table of whole trainings, which a simulated study looks its trials up in.

The file has a line of JSON for each training, compressed; its first line says which study file made it.
"""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuner.results import EpochMetrics, flatten
from tuner.search.search import Assignment

SERIES = ("val_accuracy", "val_nll", "val_ece", "train_loss")


@dataclass(frozen=True)
class Row:
    """One whole training: its resolved policy, its seed, each epoch's metrics, and the mean seconds of an epoch."""

    mixing: Mapping[str, Any]
    seed: int
    seconds: float
    series: Mapping[str, Sequence[float]]

    @property
    def key(self) -> str:
        """Return what tells trainings apart."""
        return json.dumps([self.mixing, self.seed], sort_keys=True)


def row(mixing: Mapping[str, Any], seed: int, epochs: Sequence[EpochMetrics]) -> Row:
    """Return a training's row, to five digits after the point: a validation split has fewer."""
    series = {name: [round(getattr(epoch, name), 5) for epoch in epochs] for name in SERIES}
    return Row(_as_read(mixing), seed, round(sum(epoch.seconds for epoch in epochs) / len(epochs), 3), series)


def write(path: Path, header: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Write a table in one step, in an order of its own: the same trainings are the same bytes."""
    lines = [header, *(asdict(one) for one in sorted(rows, key=lambda one: one.key))]
    text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(gzip.compress(text.encode(), mtime=0))
    os.replace(new, path)


def read(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """Return a table's header and rows."""
    header, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    return json.loads(header), [Row(**json.loads(line)) for line in lines]


@dataclass(frozen=True)
class Recorded:
    """Curves from a table; a policy between the recorded ones has its nearest neighbour's."""

    rows: Sequence[Row]
    metric: str = "val_accuracy"

    def curve(self, assignment: Assignment, study_seed: int = 0) -> Sequence[float]:
        """Return a trial's curve: a recorded seed's, so that a configuration tried again has the other one's."""
        found = self.alike(assignment.config["mixing"])
        return found[(assignment.seed + study_seed) % len(found)].series[self.metric]

    def final(self, mixing: Mapping[str, Any]) -> float:
        """Return what a policy reaches at the end, a mean over its seeds."""
        found = self.alike(mixing)
        return sum(one.series[self.metric][-1] for one in found) / len(found)

    def alike(self, mixing: Mapping[str, Any]) -> list[Row]:
        """Return every seed's row of the recorded policy that is nearest.

        What has no order (method, depths, law) must be the same; alpha is far by its logarithm.

        Raises:
            ValueError: nothing like it was recorded.
        """
        wanted = flatten(_as_read(mixing))
        distances = [_distance(wanted, flatten(one.mixing)) for one in self.rows]
        nearest = min(distances, default=math.inf)
        if nearest == math.inf:
            raise ValueError(f"no recorded training is of a policy like {dict(mixing)}")
        return [one for one, distance in zip(self.rows, distances, strict=True) if distance == nearest]


def _as_read(mixing: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy as JSON gives it back: lists where there were tuples."""
    read_again: dict[str, Any] = json.loads(json.dumps(mixing))
    return read_again


def _distance(wanted: Mapping[str, Any], given: Mapping[str, Any]) -> float:
    if wanted.keys() != given.keys():
        return math.inf
    total = 0.0
    for name, value in wanted.items():
        other = given[name]
        if name.endswith("alpha") and value > 0 and other > 0:
            total += abs(math.log2(value / other))
        elif isinstance(value, float):
            total += abs(value - other)
        elif value != other:
            return math.inf
    return total
