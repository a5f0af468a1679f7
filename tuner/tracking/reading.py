"""Find a study's runs in MLflow again."""

from __future__ import annotations

from collections.abc import Mapping

from tuner.errors import ServiceError
from tuner.tracking.connection import TrackingFailure, open_store
from tuner.tracking.destination import Destination, destination
from tuner.tracking.operations import RunIds


def ids(study: str, at: Destination | None = None, identity: str = "") -> RunIds | None:
    """Return the experiment and the run of a study; nothing where MLflow has no such study.

    Raises:
        ServiceError: MLflow is out of reach.
    """
    at = at or destination()
    if _is_empty(at):
        return None
    try:
        return open_store(at, identity).find(study)
    except TrackingFailure as failure:
        raise ServiceError(_advice(failure)) from failure


def child_runs(study: str, at: Destination | None = None, identity: str = "") -> Mapping[int, str]:
    """Return the run of every trial by its number; takes MLflow's seconds of import, `Tracking.run_ids` does not.

    Raises:
        ServiceError: MLflow is out of reach.
    """
    at = at or destination()
    if _is_empty(at):
        return {}
    try:
        return open_store(at, identity).children(study)
    except TrackingFailure as failure:
        raise ServiceError(_advice(failure)) from failure


def _is_empty(at: Destination) -> bool:
    return at.database is not None and not at.database.exists()


def _advice(failure: TrackingFailure) -> str:
    return f"{failure}; see whether the server runs and MLFLOW_TRACKING_URI is right (tuner doctor)"
