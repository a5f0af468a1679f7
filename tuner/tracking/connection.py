"""Speak to MLflow quietly and briefly, and say in words what went wrong."""

from __future__ import annotations

import logging
import os
import re
import warnings
from typing import TYPE_CHECKING, Any

from tuner.tracking.credentials import take_credentials
from tuner.tracking.destination import Destination, without_credentials

if TYPE_CHECKING:
    from tuner.tracking.store import Store
else:
    Store = Any  # named in an annotation that is read at run time, where MLflow is not to be imported

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # MLflow tells of migrations at INFO, and of a locked database with its traceback: we report in our own words.
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    # By default one call may take four minutes of retries; the recorder has its own.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}

LONGEST_MESSAGE = 400

_TOO_LARGE = re.compile(r"error code 413|413 (Request|Payload|Content)|requests must be at most|must contain at most")


class TrackingFailure(Exception):
    """MLflow could not do what was asked, in words.

    `is_final` where asking again is of no use, `is_too_large` where asking for less may be, `is_passing` where only the
    connection or the moment was bad, `is_busy` where the server said that it has too much to do.
    """

    def __init__(
        self,
        destination: Destination,
        reason: object,
        is_final: bool,
        is_passing: bool = False,
        *,
        is_busy: bool = False,
    ) -> None:
        lines = without_credentials(str(reason)).strip().splitlines() or [type(reason).__name__]
        super().__init__(f"MLflow at {destination.shown}: {lines[0][:LONGEST_MESSAGE]}")
        self.is_final = is_final
        self.is_passing = is_passing
        self.is_busy = is_busy
        self.is_too_large = bool(_TOO_LARGE.search(str(reason)))


def open_store(destination: Destination, identity: str = "") -> Store:
    """Return the store, with what MLflow prints, logs and sends switched off; importing it takes seconds at first.

    Settings that the environment has already stay as they are. `identity` tells a study from an earlier one of the
    same name.

    Raises:
        TrackingFailure: MLflow is not installed, the store cannot be opened, or a file of credentials is missing.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        take_credentials()
    except ValueError as error:
        raise TrackingFailure(destination, error, is_final=False) from error
    # Deprecations inside MLflow are no news to a user; `catch_warnings` would not be safe in a thread.
    warnings.filterwarnings("ignore", module=r"(mlflow|alembic|sqlalchemy)\b")
    try:
        from tuner.tracking.store import Store  # imports MLflow
    except ImportError as error:
        raise TrackingFailure(destination, error, is_final=True) from error
    # Once more for a process that had imported MLflow before.
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return Store(destination, identity)
