"""A job on the cluster: read the order, and become `tuner` with the order's arguments.

Run by Ray as `python -m tuner.cluster.job` in the folder that travelled with it.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

from tuner.cluster.address import ADDRESS_VARIABLE
from tuner.cluster.parcel import ORDER, read

CODE_VARIABLE = "TUNER_JOB_CODE"
"""Tells the command in which folder somebody's own code has arrived, if it has."""


def main() -> None:
    """Become the command that was ordered; its exit code is the job's."""
    try:
        order = read(Path(ORDER))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    here = version("mixup-tuner")
    if order.version != here:
        sys.stderr.write(f"error: sent by tuner {order.version}, and this cluster has {here}; use the same on both\n")
        sys.exit(2)
    os.environ.pop(ADDRESS_VARIABLE, None)  # it is there already: the command would send itself on for ever
    if order.has_code:
        os.environ[CODE_VARIABLE] = os.getcwd()
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "tuner", *order.arguments])  # no shell, by design


if __name__ == "__main__":
    main()
