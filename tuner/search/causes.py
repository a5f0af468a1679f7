"""Why a trial ended, in plain words: what `trials`, MLflow and the display show."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from tuner.results import OBJECTIVES, EpochMetrics, TrialRecord, TrialState

_SHARES = {"val_accuracy", "val_ece"}
_RAISED = re.compile(r"[\w.]*(Error|Exception)\b")
_NUMBER = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)?(e[-+]?\d+)?")


def complete(epochs: int) -> str:
    """Say that the trial had its full budget."""
    return f"trained all {epochs} epochs"


def diverged(metrics: EpochMetrics) -> str:
    """Say which metrics are no longer finite."""
    wrong = [name for name, value in metrics.as_dict().items() if not math.isfinite(value)]
    return f"diverged at epoch {metrics.epoch}: {', '.join(wrong)} not finite"


def impossible(wrong: str) -> str:
    """Say that the trial reported what no training can have measured."""
    return f"reported what cannot be: {wrong}"


def fell_short(metric: str, epoch: int, value: float, threshold: float, seeds: int = 1) -> str:
    """Say at which rung the trial stopped: its value, or its seeds' mean, and the one it had to reach."""
    return f"stopped at epoch {epoch}: {_against(metric, value, threshold, seeds)}"


def paused(metric: str, epoch: int, value: float, threshold: float, seeds: int = 1) -> str:
    """Say at which rung the trial waits, and for what."""
    return f"paused at epoch {epoch}: {_against(metric, value, threshold, seeds)}"


def never_went_on(metric: str, epoch: int, value: float, threshold: float, seeds: int = 1) -> str:
    """Say at which rung the trial waited to the end of the study: its value, and the one it had to reach by then."""
    return f"paused at epoch {epoch} and never went on: {_against(metric, value, threshold, seeds)}"


def waits_for_seeds(epoch: int, seeds: int) -> str:
    """Say that the trial waits at a rung until all seeds of its configuration are there."""
    return f"paused at epoch {epoch}: it waits for the others of its {seeds} seeds"


def out_of_hours(hours: float | None) -> str:
    """Say that the study's time is used up; the trial keeps its checkpoint."""
    return f"interrupted: the study's {hours:g} hours are used up"


def out_of_epochs(epochs: int | None) -> str:
    """Say that the study's epochs are used up; the trial keeps its checkpoint."""
    return f"interrupted: the study's {epochs} epochs are used up"


def out_of_memory(error: str) -> str:
    """Say that the trial waits to be tried once more, when no other trial is on its device."""
    return f"interrupted: out of memory, to be tried once more on its own ({error})"


def lost(what: str) -> str:
    """Say that the trial goes on in another process."""
    return f"interrupted: its {what} was lost, to go on from its last checkpoint"


def lost_too_often(reason: str) -> str:
    """Say that the trial has lost all the processes that it may lose, and what was raised last, of a traceback say."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    raised = [line for line in lines if _RAISED.match(line)]
    return f"its worker was lost: {(raised or lines or ['nothing is known of it'])[-1]}"


def silent(seconds: float, epochs: int) -> str:
    """Say that the trial hung, and after which epoch."""
    length = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    return f"reported nothing for {length} after epoch {epochs}: it hung, and its process was ended"


def commonest(trials: Sequence[TrialRecord], most: int = 3) -> str:
    """Return the commonest causes of failure with their counts; those that differ in numbers alone count as one."""
    failed = [trial.cause for trial in trials if trial.state is TrialState.FAILED]
    kinds = Counter(_NUMBER.sub("#", cause) for cause in failed)
    first = {kind: next(cause for cause in failed if _NUMBER.sub("#", cause) == kind) for kind in kinds}
    return "; ".join(f"{first[kind]} ({_trials(count)})" for kind, count in kinds.most_common(most))


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count} trials"


def _against(metric: str, value: float, threshold: float, seeds: int) -> str:
    """Return a value and what it fell short of, shares in percent."""
    over = f", mean of {seeds} seeds" if seeds > 1 else ""
    word = "below" if OBJECTIVES.get(metric) == "max" else "above"
    if metric in _SHARES:
        return f"{value * 100:.1f} {word} {threshold * 100:.1f}{over}"
    return f"{value:.4f} {word} {threshold:.4f}{over}"
