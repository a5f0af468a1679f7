"""A study and its trials as tables that people read; imported in a moment, as it knows records and words alone."""

from __future__ import annotations

from collections.abc import Sequence

import rich.box
from rich.table import Table
from rich.text import Text

from tuner.cli import output, verdict
from tuner.report import words
from tuner.results import StudyResult, TrialRecord, TrialState, over_seeds


def summary(result: StudyResult, metric: str, maximise: bool) -> list[Table | Text]:
    """Return what a person reads when a study ends: best, baseline, what was stopped, where MLflow is."""
    counts = result.counts()
    head = Table(box=rich.box.SIMPLE, title=f"{result.study}: {result.state}", title_justify="left", show_header=False)
    head.add_row("best", _value(result, result.best, metric))
    head.add_row("without mixing", _value(result, result.baseline, metric))
    best, baseline = (result.over_seeds(one) for one in (result.best, result.baseline))
    if best and baseline:
        seeds = sorted({len(best.trials), len(baseline.trials)})
        of = "one seed each" if seeds == [1] else f"means of {' and '.join(map(str, seeds))} seeds"
        head.add_row(
            "difference",
            f"{words.difference(metric, best.mean - baseline.mean)} ({of}, best of {counts['complete']} by "
            f"the same validation examples: {'see below' if result.recommendation else 'not yet evidence'})",
        )
    head.add_row("trials", ", ".join(f"{count} {state}" for state, count in counts.items()))
    head.add_row("epochs", f"{result.epochs_trained} in {words.duration(result.seconds)}")
    page, uri = result.tracking.get("page"), result.tracking.get("uri")
    where = [f"best network: {result.network or 'not kept'}"] if result.best else []
    where.append(f"MLflow: {page or f'{uri}; open it with: tuner ui {result.study}'}")
    answer = [] if result.recommendation is None else verdict.renderables(result.recommendation)
    return [trials_table(result.trials, metric, maximise), head, *map(output.whole, where), Text(), *answer]


def trials_table(trials: Sequence[TrialRecord], metric: str, maximise: bool) -> Table:
    """Return every trial with its end, complete ones first, then by value; seeds of one configuration together."""
    mean = {trial.number: group for group in over_seeds(trials) for trial in group.trials}
    has_seeds = any(len(group.trials) > 1 for group in mean.values())
    table = Table(
        "trial",
        "policy",
        *(["seed"] if has_seeds else []),
        "epochs",
        metric,
        *(["over seeds"] if has_seeds else []),
        "end",
        box=rich.box.SIMPLE,
        title="trials, best first",
        title_justify="left",
    )
    worst = float("-inf")
    sign = 1 if maximise else -1
    rank = {TrialState.COMPLETE: 2, TrialState.PRUNED: 1}

    def place(one: TrialRecord) -> tuple[int, float, int, int]:
        group = mean.get(one.number)
        value = group.mean if group else one.curve[-1] if one.curve else None
        together = group.first.number if group else one.number
        return -rank.get(one.state, 0), -worst if value is None else -sign * value, together, one.number

    for trial in sorted(trials, key=place):
        value = words.metric(metric, trial.curve[-1]) if trial.curve else ""
        group = mean.get(trial.number)
        over = words.over_seeds(metric, group) if group and group.first is trial and len(group.trials) > 1 else ""
        seed, spread = ([str(trial.seed)], [over]) if has_seeds else ([], [])
        table.add_row(
            str(trial.number), words.policy(trial.params), *seed, str(trial.epochs), value, *spread, trial.cause
        )
    return table


def _value(result: StudyResult, trial: TrialRecord | None, metric: str) -> str:
    known = result.over_seeds(trial)
    if trial is None or known is None:
        return "none ran to the end"
    return f"{words.over_seeds(metric, known)}, {words.trial(trial)}"
