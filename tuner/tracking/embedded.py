"""The SQLite file that MLflow keeps its records in where there is no server: there whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock

_LOCK_SECONDS = 120.0
"""Making the tables takes MLflow some three seconds on two idle cores."""


def make_whole(database: Path) -> None:
    """Make the tables of a store that is not there yet, beside it, and give it its name when all are made.

    MLflow (3.17) goes through dozens of migrations in the file itself, of which SQLite commits every table by itself:
    a process that is killed meanwhile leaves a store that no MLflow opens again ("table _alembic_tmp_experiments
    already exists").

    Raises:
        OSError: the folder cannot be made or written.
        filelock.Timeout: another process has been making the store for two minutes.
        mlflow.exceptions.MlflowException, sqlalchemy.exc.SQLAlchemyError: SQLite could not write, as on a full disk.
    """
    if database.exists():
        return
    # Here, as they take a second to import, which a study with a server need not spend.
    from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock", timeout=_LOCK_SECONDS):
        if database.exists():
            return
        part = database.with_name(f"{database.name}.part")
        for left in (part, Path(f"{part}-journal")):  # by a process that was killed
            left.unlink(missing_ok=True)
        # The second is for MLflow's own "Default" experiment, and is what its client would give.
        made = SqlAlchemyStore(f"sqlite:///{part}", DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH)  # type: ignore[no-untyped-call]
        made.engine.dispose()
        os.replace(part, database)
