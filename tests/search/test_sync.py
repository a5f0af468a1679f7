"""What MLflow lacks of a study is sent later, from what waits on disk and from the study's own storage."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import Any

import pytest

from tests.search.conftest import begin, drive, rising, train
from tuner.results import StudyState
from tuner.search import storage, study, sync
from tuner.tracking import DatasetInput, Tracking, child_runs, destination, ids, spool_folder

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside MLflow


def everything(client: Any, name: str) -> dict[str, Any]:
    """Return every run of a study with its metrics' histories, by name."""
    experiment = client.get_experiment_by_name(name).experiment_id
    return {
        run.info.run_name: (
            run.info.status,
            run.data.params,
            {
                key: [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, key)]
                for key in run.data.metrics
            },
        )
        for run in client.search_runs([experiment])
    }


@pytest.fixture
def client() -> Any:
    from mlflow import MlflowClient

    from tuner.tracking.connection import open_store

    open_store(destination())
    return MlflowClient(destination().uri)


def test_study_whose_server_was_away_is_sent_later_once(load, client, monkeypatch: pytest.MonkeyPatch):
    loaded = load("search.trials=3")
    search = begin(loaded)
    drive(search, rising)
    storage.set_state(search.study, id="one")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    storage.set_state(search.study, recorded=False)
    result = study.resume(loaded)
    assert any(f"`tuner sync {loaded.name}` sends what is missing" in one for one in result.warnings)
    monkeypatch.setattr(sync, "REFUSED_SECONDS", 0.5)
    refused = sync.send(loaded)
    assert refused.unsent > 0
    assert "127.0.0.1:9" in refused.error

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    sent = sync.send(loaded)
    assert (sent.unsent, sent.error) == (0, None)
    assert not spool_folder(loaded.name).exists() or list(spool_folder(loaded.name).iterdir()) == []
    first = everything(client, loaded.name)
    assert len(first) == 4
    assert {status for status, _, _ in first.values()} <= {"FINISHED", "KILLED"}
    for trial in result.trials:
        points = client.get_metric_history(child_runs(loaded.name, identity="one")[trial.number], "val_accuracy")
        assert [(one.step, one.value) for one in points] == list(enumerate(trial.curve, start=1))

    assert sync.send(loaded).unsent == 0
    assert everything(client, loaded.name) == first


def test_another_mlflow_is_told_what_the_study_ran_with(load, client, monkeypatch: pytest.MonkeyPatch, tmp_path):
    loaded = load("search.trials=1")
    search = begin(loaded)
    drive(search, rising)
    storage.set_state(search.study, id="one", state=StudyState.COMPLETED.value)
    storage.set_state(search.study, environment={"environment.torch": "1.2.3"})
    data = DatasetInput("digits", "0123", "tuner:digits", profile={"classes": 10})
    storage.set_state(search.study, dataset=asdict(data))
    assert sync.send(loaded).unsent == 0
    run = client.get_run(ids(loaded.name, identity="one").run_id)
    assert run.data.tags["environment.torch"] == "1.2.3"
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("digits", "0123")


def test_what_waited_on_disk_is_not_needed(load, client, monkeypatch: pytest.MonkeyPatch):
    loaded = load("search.trials=3")
    search = begin(loaded)
    drive(search, rising)
    storage.set_state(search.study, id="one", state=StudyState.COMPLETED.value)
    shutil.rmtree(spool_folder(loaded.name), ignore_errors=True)
    assert sync.send(loaded).unsent == 0
    assert sorted(child_runs(loaded.name, identity="one")) == [0, 1, 2]
    parent = everything(client, loaded.name)[loaded.name]
    assert parent[0] == "FINISHED"
    assert [step for step, _ in parent[2]["trials_ended"]] == [1, 2, 3]
    assert parent[2]["best_so_far"][-1] == (3, max(value for _, value in parent[2]["best_so_far"]))


def test_runs_that_a_killed_driver_left_running_end(load, client):
    loaded = load("search.trials=2")
    search = begin(loaded)
    storage.set_state(search.study, id="one")
    killed = Tracking(destination(), "one")
    killed.study_started(loaded.name)
    train(search, search.ask(), rising, upto=4)
    for number in (0, 7):  # 7 was never stored: the driver died between
        killed.trial_started(number, {"mixing.name": "none"}, name=f"left {number}")
    other = Tracking(destination(), "two")
    other.study_started(loaded.name)
    other.trial_started(0, {}, name="of another study")
    assert killed.close(60).unwritten == other.close(60).unwritten == 0

    assert sync.send(loaded).unsent == 0
    runs = {
        run.info.run_name: run for run in client.search_runs([client.get_experiment_by_name(loaded.name).experiment_id])
    }
    assert runs["left 7"].info.status == "KILLED"
    assert runs["left 7"].data.tags["cause"] == "its driver ended without a word"
    assert runs["trial 0 none"].info.status == "KILLED"
    assert runs["trial 0 none"].data.tags["state"] == "interrupted"
    assert runs["of another study"].info.status == "RUNNING"
