"""Tell whether a file that is given to MLflow comes back: what a server answers says nothing of its object store."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.errors import ServiceError
from tuner.tracking.connection import TrackingFailure, open_store
from tuner.tracking.destination import Destination, without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "tuner-doctor"
"""Holds one run with one small file, that of the last probe."""

_FILE = "probe.txt"


def probe_artifacts(at: Destination) -> str:
    """Return where MLflow keeps files, having written one and read it back.

    Raises:
        ServiceError: it could not, and what was said.
    """
    try:
        open_store(at).answer()
    except TrackingFailure as failure:
        raise ServiceError(str(failure)) from failure
    from mlflow import MlflowClient  # after `open_store`, which sets what MLflow reads when it is imported

    words = secrets.token_hex(8)
    client = MlflowClient(tracking_uri=at.uri)
    try:
        run = client.get_run(_run(client))
        client.log_text(run.info.run_id, words, _FILE)
        with tempfile.TemporaryDirectory() as folder:
            back = Path(client.download_artifacts(run.info.run_id, _FILE, folder)).read_text()
    except Exception as error:  # object stores' own libraries raise errors of their own
        lines = without_credentials(str(error)).strip().splitlines() or [type(error).__name__]
        raise ServiceError(f"MLflow at {at.shown} cannot keep files: {lines[0][:300]}") from error
    if back != words:
        raise ServiceError(f"MLflow at {at.shown} gave another file back than it was given")
    return without_credentials(str(run.info.artifact_uri)).split(f"/{run.info.run_id}")[0]


def _run(client: MlflowClient) -> str:
    """Return the one run that is kept for this."""
    found = client.get_experiment_by_name(EXPERIMENT)
    identifier = client.create_experiment(EXPERIMENT) if found is None else found.experiment_id
    if found is not None and found.lifecycle_stage == "deleted":
        client.restore_experiment(identifier)
    runs = client.search_runs([identifier], max_results=1)
    return str((runs[0] if runs else client.create_run(identifier)).info.run_id)
