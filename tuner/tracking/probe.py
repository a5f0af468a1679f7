"""Tell whether MLflow's store can be used, for `tuner doctor`."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version

from tuner.errors import ServiceError
from tuner.tracking.connection import TrackingFailure, open_store
from tuner.tracking.destination import Destination


def probe_mlflow(at: Destination) -> str:
    """Return MLflow's version and where its store is, having read from it; an embedded store need not exist yet.

    Raises:
        ServiceError: what is wrong, and what to do.
    """
    try:
        found = f"MLflow {version('mlflow')}, {at.shown}"
    except PackageNotFoundError:
        raise ServiceError("MLflow is not installed; run `uv sync`, or `pip install mlflow`") from None
    if at.database is not None and not at.database.exists():
        return f"{found} (made by the first study)"
    if at.database is not None and not os.access(at.database, os.W_OK):
        raise ServiceError(f"{at.database} cannot be written; change its owner or rights, or set TUNER_HOME")
    try:
        open_store(at).answer()
    except TrackingFailure as failure:
        raise ServiceError(f"{failure}; start the server, or correct or unset MLFLOW_TRACKING_URI") from failure
    return found
