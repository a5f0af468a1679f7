"""Which records go to MLflow together: the epochs of one run that wait, as one request."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.tracking.operations import EpochEnded, Operation

EPOCHS_AT_ONCE = 100
"""Of 7 metrics each: MLflow takes 1,000 in a request, and an epoch is never cut in two."""


def batches(operations: Sequence[Operation]) -> list[list[Operation]]:
    """Return the records in batches: runs of epochs that belong to one trial, every other record by itself.

    The records of one run keep their order. Those of different runs may change places: no run needs another's but its
    parent, which is made where it is missing.
    """
    found: list[list[Operation]] = []
    growing: dict[tuple[str, str, int], list[Operation]] = {}
    for one in operations:
        number = getattr(one, "number", None)
        key = None if number is None else (one.study, str(getattr(one, "kind", "")), number)
        if key is None or not isinstance(one, EpochEnded):
            if key is not None:
                growing.pop(key, None)
            found.append([one])
        elif key in growing and len(growing[key]) < EPOCHS_AT_ONCE:
            growing[key].append(one)
        else:
            growing[key] = [one]
            found.append(growing[key])
    return found


def halves(batch: Sequence[Operation]) -> list[list[Operation]]:
    """Return a batch that was too large for the server as two."""
    middle = len(batch) // 2
    return [list(batch[:middle]), list(batch[middle:])]
