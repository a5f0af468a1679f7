"""`tuner validate`: everything that can be known of a study file before a trial runs, without Ray."""

from __future__ import annotations

from collections.abc import Sequence

from tuner import space, spec
from tuner.cli import output
from tuner.datasets import Split
from tuner.search import baselines, check


def validate(source: str, overrides: Sequence[str], as_json: bool) -> None:
    """Check a study file and its data, build every corner of its space, and say what was found."""
    loaded = spec.load(source, overrides)
    baselines.queue(loaded)
    split = check.load(loaded)
    found = {
        "study": loaded.name,
        "valid": True,
        "corners": len(space.corners(loaded.trial)),
        "parameters": len(space.domains(loaded.trial)),
        "baselines": [block["name"] for block in baselines.blocks(loaded)],
        "training_examples": len(split.training),
        "validation_examples": len(split.validation),
        "classes": len(split.classes),
        "features": [feature.name for feature in split.features],
        "warnings": [*loaded.warnings, *split.warnings],
    }
    if output.wants_json(as_json):
        output.print_json(found)
        return
    lines = [
        f"{loaded.name} is valid: {found['parameters']} searched parameters, {found['corners']} corners built",
        f"baselines: {', '.join(baseline for baseline in found['baselines'])}",  # type: ignore[attr-defined]
        f"data: {len(split.training)} training and {len(split.validation)} validation examples{_of(split)}",
        *(f"warning: {warning}" for warning in [*loaded.warnings, *split.warnings]),
    ]
    output.print_tables(*lines)


def _of(split: Split) -> str:
    """Say what is predicted, and of a table from what."""
    columns = len({feature.column for feature in split.features})
    table = f", {columns} columns as {len(split.features)} features" if split.features else ""
    return (f" of {len(split.classes)} classes" if split.classes else ", a regression") + table
