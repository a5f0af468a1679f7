"""A study on the cluster of docker/compose.yaml, from a clean machine to a second start."""

from __future__ import annotations

import pytest

from tests.docker.cluster import HEALTHY_SECONDS, Cluster


@pytest.fixture(scope="module")
def study(cluster: Cluster) -> str:
    """The name of a small study that a job searched on the cluster, and confirmed."""
    job = cluster.submit("tuner run digits --smoke --json --set name=first")
    state = cluster.wait(job)
    assert state == "SUCCEEDED", cluster.ray("logs", job)
    return "first-smoke"


def test_all_is_healthy_within_three_minutes_of_the_build(cluster: Cluster):
    assert cluster.seconds_to_healthy < HEALTHY_SECONDS


def test_a_submitted_study_ends_with_its_trials_in_the_database(cluster: Cluster, study: str):
    found = cluster.tuner("status", study)
    assert found["state"] == "completed"
    assert found["trials"]["complete"] + found["trials"]["pruned"] == 4
    assert study in [one["study"] for one in cluster.tuner("ls")]


def test_trials_ran_on_the_worker_and_not_on_the_head(cluster: Cluster, study: str):
    assert cluster.processors() == [0, 1]


def test_mlflow_shows_the_study_at_the_hosts_port(cluster: Cluster, study: str):
    experiment = cluster.mlflow(f"experiments/get-by-name?experiment_name={study}")["experiment"]
    runs = cluster.mlflow("runs/search", {"experiment_ids": [experiment["experiment_id"]]})["runs"]
    recorded = [{metric["key"] for metric in run["data"].get("metrics", [])} for run in runs]
    assert sum("val_accuracy" in metrics for metrics in recorded) >= 4
    assert experiment["artifact_location"].startswith("mlflow-artifacts:")


def test_mlflow_shows_the_study_at_its_service_name(cluster: Cluster, study: str):
    code = f"import mlflow; print(mlflow.get_experiment_by_name({study!r}).artifact_location)"
    out = cluster.run_in("head", "with-secrets", "python", "-c", code)
    assert "mlflow-artifacts:" in out


def test_down_and_up_again_keeps_studies_runs_checkpoints_and_secrets(cluster: Cluster, study: str):
    def kept() -> list[object]:
        experiment = cluster.mlflow(f"experiments/get-by-name?experiment_name={study}")["experiment"]
        runs = cluster.mlflow("runs/search", {"experiment_ids": [experiment["experiment_id"]]})["runs"]
        files = cluster.run_in("head", "find", f"/var/lib/tuner/studies/{study}", "-type", "f")
        return [cluster.tuner("trials", study), sorted(run["info"]["run_id"] for run in runs), sorted(files.split())]

    before, token = kept(), cluster.token()
    cluster.down(volumes=False)
    cluster.up()
    assert cluster.token() == token
    assert kept() == before


def test_a_second_up_changes_nothing_that_runs(cluster: Cluster):
    running = cluster.containers()
    cluster.up()
    assert cluster.containers() == running
