"""Which records go to MLflow together: what happened to one trial while they waited, as one request."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.tracking.operations import EpochEnded, Operation, Progressed, TrialEnded, TrialStarted

AT_ONCE = 80
"""Records in a batch; of 7 metrics and 4 of the system's each. MLflow takes 1,000 in a request, and no epoch is cut."""


def batches(operations: Sequence[Operation]) -> list[list[Operation]]:
    """Return the records in batches: a trial's start, epochs and end; the steps of a study; all others by themselves.

    The records of one run keep their order. Those of different runs may change places: no run needs another's but its
    parent, which is made where it is missing.
    """
    found: list[list[Operation]] = []
    growing: dict[object, list[Operation]] = {}
    for one in operations:
        key = _run(one)
        batch = growing.get(key)
        if batch is not None and len(batch) < AT_ONCE and _may_follow(one, batch[-1]):
            batch.append(one)
        else:
            growing[key] = [one]
            found.append(growing[key])
    return found


def halves(batch: Sequence[Operation]) -> list[list[Operation]]:
    """Return a batch that the server did not take as two."""
    middle = len(batch) // 2
    return [list(batch[:middle]), list(batch[middle:])]


def _may_follow(one: Operation, last: Operation) -> bool:
    """Tell whether a record can go in the same request as the one before it, of the same run."""
    if isinstance(one, Progressed):
        return isinstance(last, Progressed)
    return isinstance(one, EpochEnded | TrialEnded) and isinstance(last, TrialStarted | EpochEnded)


def _run(one: Operation) -> object:
    """Return whose record it is; the steps of a study are apart from its other records, which they do not touch."""
    number = getattr(one, "number", None)
    return one.study, getattr(one, "kind", ""), number, isinstance(one, Progressed)
