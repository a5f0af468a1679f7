"""`tuner confirm` and `tuner recommend`: what fresh seeds made of a search, in words."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tuner import spec
from tuner.cli import live, output, report, run, verdict
from tuner.errors import UsageError
from tuner.report import kept
from tuner.search import recommendation, storage, study
from tuner.tracking import destination


def confirm(name: str, overrides: Sequence[str], as_json: bool) -> int:
    """Train a study's finalists on fresh seeds, as far as that is missing, and return the exit code."""
    loaded = spec.load(run.kept_file(name), overrides)
    progress = live.Progress(loaded.objective.metric, loaded.objective.mode == "max", 0, loaded.epochs)
    with run.waiting_as("confirm", as_json), run.interruptible(), output.others_on_stderr(), live.shown(progress):
        result = study.confirm_again(loaded, run.observing(progress, loaded.epochs))
        page, complaints = report.after(result)
    found = result.recommendation
    if output.wants_json(as_json):
        output.print_json(result.as_json() | {"report": page})
    elif found is not None:
        output.print_tables(*verdict.renderables(found), *([f"report: {page}"] if page else []))
    for warning in (*result.warnings, *complaints):
        sys.stderr.write(f"warning: {warning}\n")
    return run.EXIT_CODES[result.state]


def recommend(name: str, as_json: bool) -> None:
    """Print what a study recommends: by what is stored here now, or else as its last report in MLflow has it."""
    if (answer := _elsewhere(name)) is not None:
        found, said = answer
    else:
        try:
            told = recommendation.read(name).as_json()
        except ValueError as error:
            raise UsageError(f"study {name}: {error}") from error
        beside = recommendation.read_responses(name), recommendation.read_second_axes(name)
        found, said = kept.document(told, *beside), kept.sentences(told, *beside)
    if output.wants_json(as_json):
        output.print_json(found)
    else:
        output.print_tables(*verdict.renderables(found), *said)


def _elsewhere(name: str) -> tuple[Mapping[str, Any], Sequence[str]] | None:
    """Return the answer of a study that is not stored here, and what is said of it; None where nobody has it.

    Raises:
        UsageError: its report found nothing to recommend.
    """
    if storage.exists(name) or (answer := kept.read(name, destination())) is None:
        return None
    if answer.found is None:
        raise UsageError(f"study {name}: {answer.headline}")
    return answer.found, answer.said
