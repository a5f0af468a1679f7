"""When what is stored of a trial happened, in milliseconds since 1970, for a record that is written later."""

from __future__ import annotations

from itertools import accumulate

from optuna.trial import FrozenTrial

from tuner.search.storage import history


def started_ms(trial: FrozenTrial) -> int:
    """Return when a trial was started; 1970 where the storage does not know."""
    return 0 if trial.datetime_start is None else round(1000 * trial.datetime_start.timestamp())


def epochs_ms(trial: FrozenTrial) -> list[int]:
    """Return when each epoch would have ended, had the trial never waited: only how long they took is stored.

    It is the same however often one asks, by which MLflow knows a value again.
    """
    taken = accumulate(metrics.seconds for metrics in history(trial))
    return [started_ms(trial) + round(1000 * seconds) for seconds in taken]


def ended_ms(trial: FrozenTrial) -> int:
    """Return when a trial ended; of one that goes on, when its last epoch did."""
    if trial.datetime_complete is not None:
        return round(1000 * trial.datetime_complete.timestamp())
    return max([started_ms(trial), *epochs_ms(trial)])
