"""Whether the database and MLflow can be reached with what the environment says, and MLflow's files be written."""

from __future__ import annotations

from tuner.cli.doctor.found import Check
from tuner.errors import ServiceError
from tuner.search import database
from tuner.tracking import destination, probe_artifacts, probe_mlflow


def storage() -> Check:
    """Look whether studies can be stored in the database that TUNER_STORAGE_URL names."""
    if not database.is_used():
        return Check("storage", True, "files under TUNER_HOME")
    return Check("storage", True, database.probe())


def mlflow() -> Check:
    """Look whether MLflow answers to who we are."""
    return Check("mlflow", True, probe_mlflow(destination()))


def artifacts() -> Check:
    """Look whether a file that is given to MLflow's server comes back: its object store has credentials of its own."""
    where = destination()
    if not where.is_server:
        return Check("mlflow files", True, "under TUNER_HOME")
    try:
        return Check("mlflow files", True, probe_artifacts(where))
    except ServiceError as error:
        advice = "correct the object store's credentials and address: the server's, or ours where clients write to it"
        return Check("mlflow files", False, str(error), advice)
