"""`tuner ls`, `status` and `trials`: what the studies under TUNER_HOME are, without starting anything."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import rich.box
from rich.table import Table

from tuner.cli import output, tables
from tuner.errors import ServiceError, UsageError
from tuner.report import words
from tuner.results import StudyResult, StudyState
from tuner.search import storage
from tuner.tracking import destination, elsewhere

if TYPE_CHECKING:
    from tuner.search.safety import Safety

# What judges a stored study imports torch: seconds, which a list of studies or trials does not take.


def ls(as_json: bool) -> None:
    """List every study with its state."""
    rows = [row for name in storage.names() if (row := _overview(name)) is not None]
    if output.wants_json(as_json):
        output.print_json(rows)
        return
    table = Table("study", "state", "complete", "pruned", "failed", "best", "without mixing", box=rich.box.SIMPLE)
    for row in rows:
        counts = row["trials"]
        values = [_shown(row["metric"], row[key]) for key in ("best", "baseline")]
        table.add_row(
            row["study"], _state(row["state"], row["queue"]), *(str(count) for count in counts.values()), *values
        )
    output.print_tables(table if rows else "no studies yet; start one with: tuner run digits")


def status(name: str, as_json: bool) -> None:
    """Say where one study stands."""
    if (other := _elsewhere(name)) is not None:
        result, metric, maximise = other
        if output.wants_json(as_json):
            output.print_json(result.as_json() | {"metric": metric, "stopping": None, "notes": [], "queue": None})
        else:
            output.print_tables(*tables.summary(result, metric, maximise))
        return
    from tuner.search import recommendation, safety, stored, supervision, waiting, warm_start

    study = storage.load(name)
    result = recommendation.added_to(stored.of(study))
    metric, maximise = stored.objective(study)
    stopping = safety.stopping(study, result.trials)
    queue = waiting.place(name)
    notes = [*warm_start.words(study), *supervision.notes(name)]
    if output.wants_json(as_json):
        judged = None if stopping is None else stopping.as_json()
        output.print_json(result.as_json() | {"metric": metric, "stopping": judged, "notes": notes, "queue": queue})
        return
    if queue is not None:
        notes.insert(0, f"{name}: {_state(result.state, queue)}, priority {queue['priority']}")
    output.print_tables(*tables.summary(result, metric, maximise), *notes)
    if stopping is not None:
        output.print_tables(*_stopping(stopping, metric))


def trials(name: str, as_json: bool) -> None:
    """List every trial of a study, with its MLflow run where the record can be reached."""
    if (other := _elsewhere(name)) is not None:
        _print_trials(*other, as_json)
        return
    from tuner.search import stored

    study = storage.load(name)
    try:
        result = stored.of(study, with_runs=True)
    except ServiceError as error:
        sys.stderr.write(f"warning: {error}; the trials are shown without their MLflow runs\n")
        result = stored.of(study)
    _print_trials(result, *stored.objective(study), as_json)


def _print_trials(result: StudyResult, metric: str, maximise: bool, as_json: bool) -> None:
    if output.wants_json(as_json):
        output.print_json([trial.as_json() for trial in result.trials])
    else:
        output.print_tables(tables.trials_table(result.trials, metric, maximise))


def _elsewhere(name: str) -> tuple[StudyResult, str, bool] | None:
    """Return a study that is not stored here as the tracking server tells it; None where there is none either."""
    return None if storage.exists(name) else elsewhere.read(name, destination())


def _overview(name: str) -> dict[str, Any] | None:
    from tuner.search import stored, waiting

    try:
        study = storage.load(name)
    except UsageError as error:
        sys.stderr.write(f"warning: {error}\n")
        return None
    result = stored.of(study)
    known = [result.over_seeds(trial) for trial in (result.best, result.baseline)]
    best, baseline = (None if one is None else one.mean for one in known)
    return {
        "study": name,
        "state": StudyState(result.state).value,
        "queue": waiting.place(name),
        "trials": result.counts(),
        "metric": stored.objective(study)[0],
        "best": best,
        "baseline": baseline,
        "seconds": round(result.seconds, 3),
        "epochs_trained": result.epochs_trained,
    }


def _state(state: str, queue: dict[str, int] | None) -> str:
    from tuner.search import waiting

    return state if queue is None else f"{state} ({waiting.in_words(queue['place'], queue['of'])})"


def _stopping(stopping: Safety, metric: str) -> list[Table | str]:
    """Return what each rung would have made of the trials that ran to the end."""
    title = "early stopping: what each rung would have made of the trials that ran to the end"
    table = Table("after epoch", "stopped", "wrongly", "lost", "Kendall's tau", box=rich.box.SIMPLE, title=title)
    table.title_justify = "left"
    for rung in stopping.rungs:
        lost = "" if rung.regret is None else words.difference(metric, rung.regret).lstrip("+")
        tau = "" if rung.tau is None else f"{rung.tau:.2f} ({rung.pairs} pairs)"
        table.add_row(str(rung.epoch), f"{rung.stopped} of {rung.finished}", str(rung.wrong), lost, tau)
    return [table, stopping.words] if stopping.rungs else [stopping.words]


def _shown(metric: str, value: float | None) -> str:
    return "" if value is None else words.metric(metric, value)
