"""`tuner report`: the study's report as files, and in MLflow."""

from __future__ import annotations

from pathlib import Path

from tuner.cli import output
from tuner.home import study_directory
from tuner.report.write import HTML, MARKDOWN, report

_FOLDER = "report"


def write(name: str, out: Path | None, as_json: bool) -> None:
    """Write a study's report as it stands now, say where it is, and record it in MLflow."""
    made = report(name)
    folder = out or folder_of(name)
    made.write(folder)
    found = {
        "study": name,
        "headline": made.headline,
        "html": str(folder / HTML),
        "markdown": str(folder / MARKDOWN),
        "files": sorted(made.files),
    }
    if output.wants_json(as_json):
        output.print_json(found)
    else:
        output.print_tables(f"{made.headline}\n{folder / HTML}")


def folder_of(name: str) -> Path:
    """Return where a study's report is written, unless somebody says where."""
    return study_directory(name) / _FOLDER
