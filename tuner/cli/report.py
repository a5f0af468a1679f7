"""`tuner report`: the study's report as files, and in MLflow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tuner.cli import output
from tuner.home import study_directory
from tuner.imported import in_words
from tuner.report import kept
from tuner.report.findings import gather
from tuner.report.record import record
from tuner.report.write import HTML, MARKDOWN, Report, report
from tuner.results import StudyResult, StudyState
from tuner.search import storage
from tuner.tracking import TrackingReport, destination

_FOLDER = "report"


def write(name: str, out: Path | None, as_json: bool) -> None:
    """Write a study's report as it stands now, say where it is, and record it in MLflow.

    Of a study that is not stored here it is the report that MLflow has.
    """
    if not storage.exists(name) and (told := _fetched(name, out)) is not None:
        _say(told, as_json)
        return
    made, recorded = _made(name, out)
    _say(made, as_json)
    if recorded.unwritten:
        sys.stderr.write(f"warning: {_lacking(name, recorded)}\n")


def _say(made: dict[str, Any], as_json: bool) -> None:
    if output.wants_json(as_json):
        output.print_json(made)
    else:
        output.print_tables(f"{made['headline']}\n{made['html']}")


def after(result: StudyResult) -> tuple[str | None, tuple[str, ...]]:
    """Write the report of a study that has just ended; return its page, and what people should know.

    One that was interrupted is to go on, and its user waits. Whatever goes wrong here costs the report alone: the study
    is stored, and its report can be written at any time.
    """
    if result.state is StudyState.INTERRUPTED:
        return None, ()
    try:
        made, recorded = _made(result.study, None)
    except Exception as error:  # the study's outcome is not to be lost behind it, and it is said
        again = f"to write it again: tuner report {result.study}"
        return None, (f"the report could not be written ({type(error).__name__}: {in_words(error)}); {again}",)
    return made["html"], ((_lacking(result.study, recorded),) if recorded.unwritten else ())


def _made(name: str, out: Path | None) -> tuple[dict[str, Any], TrackingReport]:
    found = gather(name)
    made = report(found)
    folder = out or study_directory(name) / _FOLDER
    made.write(folder)
    recorded = record(made, found)
    return _told(made, folder, recorded.run_id), recorded


def _fetched(name: str, out: Path | None) -> dict[str, Any] | None:
    """Write the files of the report that MLflow has of a study; None where it has none."""
    at = destination()
    answer = kept.read(name, at)
    if answer is None:
        return None
    made = Report(name, answer.headline, kept.files(name, answer, at))
    folder = out or study_directory(name) / _FOLDER
    made.write(folder)
    return _told(made, folder, None)


def _told(made: Report, folder: Path, run_id: str | None) -> dict[str, Any]:
    return {
        "study": made.study,
        "headline": made.headline,
        "html": str(folder / HTML),
        "markdown": str(folder / MARKDOWN),
        "files": sorted(made.files),
        "run_id": run_id,
    }


def _lacking(name: str, recorded: TrackingReport) -> str:
    return f"MLflow lacks the report ({recorded.error}); when it answers again: tuner report {name}"
