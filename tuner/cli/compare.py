"""`tuner compare`: studies side by side, of different data say: which alpha each wants, and whether mixing helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rich.box
from rich.table import Table

from tuner.cli import output
from tuner.errors import UsageError
from tuner.report import words
from tuner.search import recommendation, stored
from tuner.selection.answer import Range, Response
from tuner.selection.words import gain, interval


def compare(names: Sequence[str], as_json: bool) -> None:
    """Print for each study its answer, and for each method and distribution that several tried, the alpha of each."""
    if len(set(names)) < 2:
        raise UsageError("compare needs two studies or more: tuner compare digits fashion-mnist")
    answers = [_answer(name) for name in dict.fromkeys(names)]
    if output.wants_json(as_json):
        output.print_json(answers)
        return
    output.print_tables(_verdicts(answers), *_alphas(answers))


def _answer(name: str) -> dict[str, Any]:
    """Return what one study came to; a search without a baseline has no answer yet."""
    result = stored.stored(name)
    try:
        found = recommendation.read(name).as_json()
    except ValueError as error:
        raise UsageError(f"study {name}: {error}") from error
    responses = recommendation.read_responses(name)
    dataset = next(iter(result.trials)).params.get("dataset.name") if result.trials else None
    return {
        "study": name,
        "dataset": dataset,
        "state": result.state.value,
        "verdict": found["verdict"],
        "policy": found["policy"],
        "effect": found["effect"],
        "alphas": [_alpha(one) for one in responses],
    }


def _alpha(response: Response) -> dict[str, Any]:
    return {
        "method": response.method,
        "distribution": response.distribution,
        "parameter": response.parameter,
        "best": response.best,
        "interval": response.as_json()["interval"],
        "searched": list(response.searched),
        "words": response.words,
        "warnings": list(response.warnings),
    }


def _verdicts(answers: Sequence[dict[str, Any]]) -> Table:
    table = Table("study", "data", "verdict", "policy", "against no mixing", "interval", box=rich.box.SIMPLE)
    for one in answers:
        effect = one["effect"]
        known = effect["low"] is not None
        table.add_row(
            one["study"],
            str(one["dataset"]),
            one["verdict"],
            words.block(one["policy"]),
            gain(effect["metric"], effect["estimate"]) if effect["estimate"] is not None else "",
            interval(effect["metric"], effect["low"], effect["high"]) if known else "",
        )
    return table


def _alphas(answers: Sequence[dict[str, Any]]) -> list[Table | str]:
    """Return a row for each method and distribution, a column for each study: the best, and what is as good."""
    groups = dict.fromkeys((one["method"], one["distribution"]) for answer in answers for one in answer["alphas"])
    table = Table("method", "distribution", *(answer["study"] for answer in answers), box=rich.box.SIMPLE)
    notes = []
    for group in groups:
        cells = []
        for answer in answers:
            found = next((one for one in answer["alphas"] if (one["method"], one["distribution"]) == group), None)
            cells.append(_cell(found))
            notes += [f"note, {answer['study']}: {warning}" for warning in (found["warnings"] if found else ())]
        table.add_row(*group, *cells)
    return [table, *notes] if groups else ["none of these studies searched an alpha"]


def _cell(found: dict[str, Any] | None) -> str:
    if found is None:
        return "not searched"
    if found["interval"] is None:
        return "too few trials ran to the end"
    ends: Range = found["interval"]["low"], found["interval"]["high"]
    return f"{found['parameter']} {found['best']:.2g} ({ends[0]:.2g} to {ends[1]:.2g})"
