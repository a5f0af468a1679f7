"""`tuner preview`: a sheet of mixed images, for one method or for every method of a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuner import preview as sheets
from tuner import spec, trial
from tuner.cli import output
from tuner.errors import ConfigError, UsageError
from tuner.mixing import METHODS

_MODEL = {"name": "small_cnn", "padding": "same"}


def preview(
    wanted: str, out: Path, *, dataset: str, images: int, seed: int, overrides: Sequence[str], as_json: bool
) -> None:
    """Draw the sheet of a study file, or of a method's defaults on a dataset, and say what it shows."""
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out wants a file that ends in .png, read {str(out)!r}")
    if not out.parent.is_dir():
        raise UsageError(f"--out: there is no folder {str(out.parent)!r}; make it first")
    if wanted in METHODS and overrides:
        raise UsageError(f"--set changes a study file, and {wanted} is a method; write its options in a study file")
    heading, configs = _of_method(wanted, dataset) if wanted in METHODS else _of_study(wanted, overrides)
    try:
        split = trial.load_data(configs[0], seed)
        rows = sheets.rows(configs, split, shown=images, seed=seed)
    except ConfigError as error:
        raise UsageError(f"{wanted} cannot be shown: {error}") from error
    try:
        sheets.draw(rows, out, f"{heading} on {split.name}")
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be written: {error.strerror}") from error
    found = {"out": str(out), "dataset": split.name, "rows": [row.as_json() for row in rows]}
    if output.wants_json(as_json):
        output.print_json(found)
    else:
        output.print_tables(f"{out}: {len(rows)} rows of {images} images of {split.name}")


def _of_method(name: str, dataset: str) -> tuple[str, list[dict[str, Any]]]:
    config = {"dataset": dataset, "model": _MODEL, "mixing": {"name": name}}
    try:
        return name, [trial.resolve(config)]
    except ConfigError as error:
        raise UsageError(f"{name} cannot be shown: {error}") from error


def _of_study(source: str, overrides: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    if source not in spec.shipped_studies() and not Path(source).exists():
        known = f"methods: {', '.join(METHODS)}; studies: {', '.join(spec.shipped_studies())}"
        raise UsageError(f"{source!r} is neither a method nor a study file; {known}")
    study = spec.load(source, overrides)
    return study.name, [trial.resolve(config) for config in sheets.configurations(study.trial)]
