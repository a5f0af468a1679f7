"""A study on the cluster of docker/compose.yaml, from a clean machine to a second start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.docker.client import SMALL, Client, sets
from tests.docker.cluster import HEALTHY_SECONDS, Cluster
from tests.readme import ROOT, python_with


@pytest.fixture(scope="module")
def study(client: Client) -> str:
    """The name of a small study that was submitted from the host, searched on the cluster, and confirmed."""
    client.json("submit", "search_spaces/digits.yaml", *sets(SMALL | {"name": "first"}))
    return "first"


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
    page = cluster.tuner("status", study)["tracking"]["page"]
    begin = f"http://localhost:{cluster.mlflow_port}/#/experiments/{experiment['experiment_id']}/runs/"
    assert page.removeprefix(begin) in [run["info"]["run_id"] for run in runs]


def test_mlflow_shows_the_study_at_its_service_name(cluster: Cluster, study: str):
    code = f"import mlflow; print(mlflow.get_experiment_by_name({study!r}).artifact_location)"
    out = cluster.run_in("head", "with-secrets", "python", "-c", code)
    assert "mlflow-artifacts:" in out


def test_a_study_is_asked_about_stopped_gone_on_with_and_removed_from_the_host(client: Client, study: str):
    assert study in [one["study"] for one in client.json("ls")]
    assert client.json("status", study)["state"] == "completed"
    assert '"state": "completed"' in client.run("logs", study)[1]
    assert client.json("wait", study)["state"] == "succeeded"
    name, long = "long", {"trial__training__epochs": 400, "search__trials": 1, "search__baselines": "[]"}
    client.submit("digits", name, "--no-wait", confirm__seeds=0, scheduler__name="fifo", **long)
    assert client.run("wait", name, "--seconds=1")[0] == 4
    assert client.json("stop", name)["state"] == "stopped"
    assert client.run("wait", name)[0] == 130
    code, out, err = client.run("resume", name, "--json")
    assert (code, json.loads(out)["state"]) == (0, "completed"), err
    client.json("rm", name, "--yes")
    assert name not in [one["study"] for one in client.json("ls")]


def test_a_job_exits_as_its_study_does(client: Client):
    code, out, err = client.run("submit", "digits", *sets({"name": "short", "limits.epochs": 2}))
    assert code == 4, out + err


def test_a_study_with_its_own_model_travels_in_a_working_dir(client: Client, tmp_path: Path):
    (tmp_path / "my_models.py").write_text(python_with("class Network"))
    text = (ROOT / "search_spaces/digits.yaml").read_text()
    own = "model: {import: my_models:Network, stages: [layer1, layer2]}"
    (tmp_path / "own.yaml").write_text(text.replace("model: {name: small_cnn, padding: same}", own))
    found = client.json("submit", "own.yaml", "--working-dir=.", *sets(SMALL | {"name": "own-model"}), cwd=tmp_path)
    assert found["state"] == "completed"
    assert found["trials"]["failed"] == 0


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
