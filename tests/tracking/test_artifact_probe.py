"""Whether MLflow keeps files, told before a study relies on it; against a real server."""

from __future__ import annotations

import pytest

from tests.tracking.servers import served
from tuner.errors import ServiceError
from tuner.tracking import Destination, probe_artifacts


def test_a_server_that_keeps_files_says_where_and_holds_one_run_for_it(tmp_path):
    from mlflow import MlflowClient

    with served(tmp_path) as server:
        at = Destination(server.address)
        assert probe_artifacts(at).startswith("mlflow-artifacts:/")
        probe_artifacts(at)
        client = MlflowClient(server.address)
        experiment = client.get_experiment_by_name("tuner-doctor").experiment_id
        assert len(client.search_runs([experiment])) == 1
        client.delete_experiment(experiment)
        probe_artifacts(at)


def test_a_server_whose_store_of_files_cannot_be_written_is_found(tmp_path):
    """Faults, line 38: it answers everything else."""
    with served(tmp_path) as server:
        (tmp_path / "artifacts").mkdir(exist_ok=True)
        (tmp_path / "artifacts").rmdir()
        (tmp_path / "artifacts").write_text("a file where a folder should be")
        with pytest.raises(ServiceError, match="cannot keep files: "):
            probe_artifacts(Destination(server.address))


def test_a_server_that_is_not_there_is_out_of_reach():
    with pytest.raises(ServiceError, match="MLflow at http"):
        probe_artifacts(Destination("http://127.0.0.1:9"))
