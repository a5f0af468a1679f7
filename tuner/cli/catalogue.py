"""`tuner methods`, `datasets` and `models`: what a study file can name."""

from __future__ import annotations

from typing import Any

import rich.box
from rich.table import Table as RichTable

from tuner.catalog import Entry, Table
from tuner.cli import output
from tuner.mixing import SALIENCIES, MethodFacts
from tuner.models import ModelFacts


def show(table: Table, as_json: bool) -> None:
    """Print a table of the catalogue."""
    rows = [_row(name, entry) for name, entry in table.items()]
    if output.wants_json(as_json):
        output.print_json(rows)
        return
    facts = [key for key in rows[0] if key not in {"name", "summary", "parameters", "source"}]
    own = f"one's own {table.kind}: {{import: package.module:function, ...}}" if table.imported else None
    shown = RichTable("name", *facts, "parameters", "what it is", box=rich.box.SIMPLE, caption=own)
    for row in rows:
        parameters = "\n".join(_parameter(parameter) for parameter in row["parameters"])
        shown.add_row(
            row["name"], *(_short(row[fact]) for fact in facts), parameters, f"{row['summary']}\n{row['source']}"
        )
    output.print_tables(shown)


def _row(name: str, entry: Entry) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "summary": entry.summary}
    if isinstance(entry.facts, MethodFacts):
        saliency = None if entry.facts.saliency is None else SALIENCIES[entry.facts.saliency]
        row |= {
            "counts": list(entry.facts.counts),
            "inputs": entry.facts.inputs,
            "labels": entry.facts.labels,
            "depths": [0] if entry.facts.depths == "image" else entry.facts.depths,
            "extra_forward": 0 if saliency is None else saliency.extra_forward,
            "extra_backward": 0 if saliency is None else saliency.extra_backward,
        }
    if isinstance(entry.facts, ModelFacts):
        row |= {"stages": entry.facts.stages, "tables": entry.facts.takes_tables}
    return row | {"parameters": [p.as_json() for p in entry.parameters], "source": entry.source}


def _parameter(parameter: dict[str, Any]) -> str:
    default = f" = {parameter['default']}" if "default" in parameter else ""
    return f"{parameter['name']}: {parameter['type']}{default}"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return " to ".join("any" if item is None else str(item) for item in dict.fromkeys(value))
    return str(value)
