"""Find a study's runs in MLflow again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner.errors import ServiceError
from tuner.tracking.connection import TrackingFailure, open_store
from tuner.tracking.destination import Destination, destination
from tuner.tracking.encoding import config
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


def trial_config(run_id: str, at: Destination | None = None) -> dict[str, Any]:
    """Return the configuration that a trial's run was recorded with.

    Raises:
        ServiceError: MLflow is out of reach, or has no such run.
        ValueError: it is not the run of a trial.
    """
    at = at or destination()
    try:
        if _is_empty(at):
            raise TrackingFailure(at, "there is no store yet", is_final=True)
        found = config(open_store(at).params(run_id))
    except TrackingFailure as failure:
        raise ServiceError(_advice(failure)) from failure
    if "mixing" not in found:
        raise ValueError(f"run {run_id} is not that of a trial; `tuner trials NAME --json` has their run_id")
    return found


def _is_empty(at: Destination) -> bool:
    return at.database is not None and not at.database.exists()


def _advice(failure: TrackingFailure) -> str:
    return f"{failure}; see whether the server runs and MLFLOW_TRACKING_URI is right (tuner doctor)"
