"""One real SQLite store for all tests of this folder: MLflow's import and migration take seconds."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.tracking.examples import store_in
from tests.tracking.servers import Server, served
from tuner.tracking import Destination, Tracking


@dataclass(frozen=True)
class FirstUse:
    """A store, and what a terminal showed while it was made."""

    destination: Destination
    shown: str


@pytest.fixture(scope="session")
def first_use(tmp_path_factory: pytest.TempPathFactory) -> FirstUse:
    folder = tmp_path_factory.mktemp("home")
    destination = store_in(folder)
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        tracking = Tracking(destination)
        tracking.study_started("first-use")
        report = tracking.close(120)
    assert report.unwritten == 0, report.error
    return FirstUse(destination, shown.getvalue())


@pytest.fixture(scope="session")
def store(first_use: FirstUse) -> Destination:
    return first_use.destination


@pytest.fixture(scope="session")
def client(store: Destination) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(store.uri)


@pytest.fixture(scope="session")
def server(store: Destination, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server process for all tests: it takes seconds to start."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(store.database, folder / "mlflow.db")  # its tables are made
    with served(folder) as running:
        yield running
