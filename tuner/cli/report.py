"""`tuner report`: the study's report as files, and in MLflow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tuner.cli import output
from tuner.home import study_directory
from tuner.imported import in_words
from tuner.report.findings import gather
from tuner.report.record import record
from tuner.report.write import HTML, MARKDOWN, report
from tuner.results import StudyResult, StudyState
from tuner.tracking import TrackingReport

_FOLDER = "report"


def write(name: str, out: Path | None, as_json: bool) -> None:
    """Write a study's report as it stands now, say where it is, and record it in MLflow."""
    made, kept = _made(name, out)
    if output.wants_json(as_json):
        output.print_json(made)
    else:
        output.print_tables(f"{made['headline']}\n{made['html']}")
    if kept.unwritten:
        sys.stderr.write(f"warning: {_lacking(name, kept)}\n")


def after(result: StudyResult) -> tuple[str | None, tuple[str, ...]]:
    """Write the report of a study that has just ended; return its page, and what people should know.

    One that was interrupted is to go on, and its user waits. Whatever goes wrong here costs the report alone: the study
    is stored, and its report can be written at any time.
    """
    if result.state is StudyState.INTERRUPTED:
        return None, ()
    try:
        made, kept = _made(result.study, None)
    except Exception as error:  # the study's outcome is not to be lost behind it, and it is said
        again = f"to write it again: tuner report {result.study}"
        return None, (f"the report could not be written ({type(error).__name__}: {in_words(error)}); {again}",)
    return made["html"], ((_lacking(result.study, kept),) if kept.unwritten else ())


def _made(name: str, out: Path | None) -> tuple[dict[str, Any], TrackingReport]:
    found = gather(name)
    made = report(found)
    folder = out or study_directory(name) / _FOLDER
    made.write(folder)
    kept = record(made, found)
    told = {
        "study": name,
        "headline": made.headline,
        "html": str(folder / HTML),
        "markdown": str(folder / MARKDOWN),
        "files": sorted(made.files),
        "run_id": kept.run_id,
    }
    return told, kept


def _lacking(name: str, kept: TrackingReport) -> str:
    return f"MLflow lacks the report ({kept.error}); when it answers again: tuner report {name}"
