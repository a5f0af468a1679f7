"""A study and its trials as tables that people read; imported in a moment, as it knows records and words alone."""

from __future__ import annotations

from collections.abc import Sequence

import rich.box
from rich.table import Table
from rich.text import Text

from tuner.cli import verdict
from tuner.report import words
from tuner.results import StudyResult, TrialRecord, TrialState


def summary(result: StudyResult, metric: str, maximise: bool) -> list[Table | Text]:
    """Return what a person reads when a study ends: best, baseline, what was stopped, where MLflow is."""
    counts = result.counts()
    head = Table(box=rich.box.SIMPLE, title=f"{result.study}: {result.state}", title_justify="left", show_header=False)
    head.add_row("best", _value(result.best, metric))
    head.add_row("without mixing", _value(result.baseline, metric))
    if result.best and result.baseline and result.baseline.curve:
        gain = result.best.curve[-1] - result.baseline.curve[-1]
        head.add_row(
            "difference",
            f"{words.difference(metric, gain)} (one seed each, best of {counts['complete']} by "
            f"the same validation images: {'see below' if result.recommendation else 'not yet evidence'})",
        )
    head.add_row("trials", ", ".join(f"{count} {state}" for state, count in counts.items()))
    head.add_row("epochs", f"{result.epochs_trained} in {words.duration(result.seconds)}")
    if result.best:
        head.add_row("best network", result.network or "not kept")
    head.add_row("MLflow", f"{result.tracking.get('uri')}; open it with: tuner ui {result.study}")
    answer = [] if result.recommendation is None else verdict.renderables(result.recommendation)
    return [trials_table(result.trials, metric, maximise), head, *answer]


def trials_table(trials: Sequence[TrialRecord], metric: str, maximise: bool) -> Table:
    """Return every trial with its end, complete ones first, then by value."""
    table = Table(
        "trial",
        "policy",
        "epochs",
        metric,
        "end",
        box=rich.box.SIMPLE,
        title="trials, best first",
        title_justify="left",
    )
    worst = float("-inf")
    sign = 1 if maximise else -1
    rank = {TrialState.COMPLETE: 2, TrialState.PRUNED: 1}
    ordered = sorted(
        trials, key=lambda t: (rank.get(t.state, 0), sign * t.curve[-1] if t.curve else worst), reverse=True
    )
    for trial in ordered:
        value = words.metric(metric, trial.curve[-1]) if trial.curve else ""
        table.add_row(str(trial.number), words.policy(trial.params), str(trial.epochs), value, trial.cause)
    return table


def _value(trial: TrialRecord | None, metric: str) -> str:
    if trial is None or not trial.curve:
        return "none ran to the end"
    return f"{words.metric(metric, trial.curve[-1])}, {words.trial(trial)}"
