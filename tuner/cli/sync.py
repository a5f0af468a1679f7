"""`tuner sync`: send to MLflow what it lacks of a study."""

from __future__ import annotations

import sys

from tuner import spec
from tuner.cli import output, report, run
from tuner.errors import ServiceError
from tuner.search import stored
from tuner.search import sync as search

_REPORT_EVERY = 500


def sync(name: str, as_json: bool) -> int:
    """Send what is missing of a study, and return the exit code: 0 when nothing is missing any more."""
    told = None

    def waiting(left: int) -> None:
        nonlocal told
        if told is None or told - left >= _REPORT_EVERY:
            told = left
            sys.stderr.write(f"{left} records to go\n")

    sent = search.send(spec.load(run.kept_file(name)), waiting)
    # The report is not a record that waits: it is made anew, by what is stored now, and has the answer and the network.
    complaints = () if sent.unsent else report.after(stored.stored(name))[1]
    if output.wants_json(as_json):
        output.print_json(sent.as_json())
    elif not sent.unsent:
        output.print_tables(f"MLflow at {sent.tracking['uri']} has all of study {name}; open it with: tuner ui {name}")
    for complaint in complaints:
        sys.stderr.write(f"warning: {complaint}\n")
    if sent.unsent:
        sys.stderr.write(f"error: MLflow lacks {sent.unsent} records of study {name}: {sent.error}\n")
        return ServiceError.exit_code
    return 0
