"""A job on the cluster: read the order, and become `tuner` with the order's arguments.

Run by Ray as `python -m tuner.cluster.job` in the folder that travelled with it.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

from tuner.cluster.address import ADDRESS_VARIABLE
from tuner.cluster.parcel import ORDER, PYTHON, Order, read
from tuner.errors import UsageError
from tuner.home import home, kept_code

CODE_VARIABLE = "TUNER_JOB_CODE"
"""Tells the command in which folder somebody's own code has arrived, if it has."""

_JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""What Ray sets for a job's driver: with which working directory its workers run, too."""


def main() -> None:
    """Become the command that was ordered; its exit code is the job's."""
    try:
        order = read(Path(ORDER))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    _refuse_other_versions(order)
    os.environ.pop(ADDRESS_VARIABLE, None)  # it is there already: the command would send itself on for ever
    if order.has_code:
        os.environ[CODE_VARIABLE] = os.getcwd()
    elif order.arguments[:1] == ("resume",):
        _use_kept_code(order.arguments[1])
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "tuner", *order.arguments])  # no shell, by design


def _refuse_other_versions(order: Order) -> None:
    here = version("mixup-tuner")
    if order.version != here:
        _refuse(f"sent by tuner {order.version}, and this cluster has {here}; use the same on both")
    if order.has_code and order.python != PYTHON:
        _refuse(
            f"your own code was sent from Python {order.python}, and this cluster has {PYTHON}, where it may mean "
            "something else; submit it from the same"
        )


def _refuse(words: str) -> None:
    sys.stderr.write(f"error: {words}\n")
    sys.exit(2)


def _use_kept_code(name: str) -> None:
    """Go on, here and in the workers, with the code that came with an earlier job of the study."""
    try:
        kept = kept_code(name)
    except UsageError:  # no study's name: the command itself says so
        return
    if not kept.is_dir():
        return
    if (given := os.environ.get(_JOB_VARIABLE)) is not None:
        job = json.loads(given)
        job["runtime_env"]["working_dir"] = str(kept)  # Ray uploads it from here
        os.environ[_JOB_VARIABLE] = json.dumps(job)
    os.environ["TUNER_HOME"] = str(home())
    os.chdir(kept)


if __name__ == "__main__":
    main()
