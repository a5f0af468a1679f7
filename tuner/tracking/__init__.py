"""The only door to MLflow: what a study does is recorded there, and read back by trial number.

    tracking = Tracking(destination())
    tracking.study_started("digits", study_file=text)
    ...
    report = tracking.close(timeout_seconds=30)

Importing MLflow takes seconds (3.17 loads pandas, scikit-learn and FastAPI), so it is imported at first use only.
"""

from tuner.tracking.artifact_probe import probe_artifacts
from tuner.tracking.destination import URI_VARIABLE, Destination, destination, without_credentials
from tuner.tracking.environment import environment
from tuner.tracking.operations import DatasetInput, RegisteredModel, RunIds
from tuner.tracking.probe import probe_mlflow
from tuner.tracking.reading import child_runs, ids, trial_config
from tuner.tracking.recorder import Tracking, TrackingReport
from tuner.tracking.spool import spool_folder
from tuner.tracking.view import shared_view

__all__ = [
    "URI_VARIABLE",
    "DatasetInput",
    "Destination",
    "RegisteredModel",
    "RunIds",
    "Tracking",
    "TrackingReport",
    "child_runs",
    "destination",
    "environment",
    "ids",
    "probe_artifacts",
    "probe_mlflow",
    "shared_view",
    "spool_folder",
    "trial_config",
    "without_credentials",
]
