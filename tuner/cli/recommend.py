"""`tuner confirm` and `tuner recommend`: what fresh seeds made of a search, in words."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tuner import spec
from tuner.cli import live, output, report, run, verdict
from tuner.errors import UsageError
from tuner.search import recommendation, study


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
    """Print what a study recommends, by what is stored now."""
    try:
        found = recommendation.read(name).as_json()
    except ValueError as error:
        raise UsageError(f"study {name}: {error}") from error
    responses = recommendation.read_responses(name)
    second = recommendation.read_second_axes(name)
    if output.wants_json(as_json):
        beside = {"responses": [one.as_json() for one in responses], "second_axes": [one.as_json() for one in second]}
        output.print_json(found | beside)
        return
    output.print_tables(*verdict.renderables(found))
    shown = next((one for one in second if one.key == found["candidate"]), None)
    for said in shown.words() if shown else ():
        output.print_tables(f"  beside it: {said}")
    for one in responses:
        output.print_tables(one.words, *(f"  note: {warning}" for warning in one.warnings))
