"""A study's record in a real MLflow store."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tracking.conftest import FirstUse
from tests.tracking.examples import closed, metrics, mixup, values
from tuner.results import StudyState, TrialState
from tuner.tracking import Destination, Tracking, child_runs, ids


@pytest.fixture
def study(request: pytest.FixtureRequest) -> str:
    return request.node.name.replace("_", "-").replace("[", "-").replace("]", "")


def test_first_use_shows_nothing_in_the_terminal(first_use: FirstUse):
    assert first_use.shown == ""


def test_trials_are_children_of_the_studys_run(store: Destination, client: Any, study: str):
    tracking = Tracking(store)
    tracking.study_started(study, description="why", params={"seed": 0}, tags={"who": "me"}, study_file="name: x\n")
    for number in range(3):
        tracking.trial_started(number, mixup(0.31))
    report = closed(tracking)

    children = child_runs(study, store)
    parent = client.get_run(report.run_id)
    assert sorted(children) == [0, 1, 2]
    assert tracking.run_ids() == children
    assert {client.get_run(run).data.tags["mlflow.parentRunId"] for run in children.values()} == {report.run_id}
    assert ids(study, store).run_id == report.run_id
    assert parent.info.run_name == study
    assert parent.data.tags["mlflow.note.content"] == "why"
    assert parent.data.tags["who"] == "me"
    assert parent.data.params == {"seed": "0"}


def test_study_file_is_kept_under_the_home_folder(store: Destination, client: Any, study: str, tmp_path: Path):
    tracking = Tracking(store)
    tracking.study_started(study, study_file="name: digits\n")
    report = closed(tracking)

    assert Path(client.download_artifacts(report.run_id, "study.yaml", str(tmp_path))).read_text() == "name: digits\n"
    assert len(list((store.artifacts / study).rglob("study.yaml"))) == 1


def test_trial_has_its_resolved_parameters_and_a_telling_name(store: Destination, client: Any, study: str):
    tracking = Tracking(store)
    tracking.study_started(study)
    tracking.trial_started(7, mixup(0.3087), {"seed": 3})
    closed(tracking)

    run = client.get_run(tracking.run_ids()[7])
    assert run.info.run_name == "trial 7 mixup beta 0.31"
    assert run.data.params["mixing.ratio.alpha"] == "0.3087"
    assert run.data.params["mixing.depths"] == "[0]"
    assert run.data.tags["seed"] == "3"


def test_more_parameters_than_one_request_takes_all_arrive(store: Destination, client: Any, study: str):
    tracking = Tracking(store)
    tracking.study_started(study)
    tracking.trial_started(0, {f"p{index}": index for index in range(250)} | {"long": "x" * 7000})
    closed(tracking)

    params = client.get_run(tracking.run_ids()[0]).data.params
    assert len(params) == 251
    assert len(params["long"]) == 6000


def test_every_epoch_is_one_value_at_its_step(store: Destination, client: Any, study: str):
    tracking = Tracking(store)
    tracking.study_started(study)
    tracking.trial_started(0, {})
    for epoch in (1, 2, 3):
        tracking.epoch(0, metrics(epoch, val_accuracy=epoch / 10))
    closed(tracking)

    run = client.get_run(tracking.run_ids()[0])
    assert values(client.get_metric_history(run.info.run_id, "val_accuracy")) == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert run.data.metrics == {**metrics(3).as_dict(), "val_accuracy": 0.3}


def test_what_a_trial_uses_of_its_machine_stands_among_the_system_metrics(store: Destination, client: Any, study: str):
    tracking = Tracking(store)
    tracking.study_started(study)
    tracking.trial_started(0, {})
    for epoch, used in ((1, 70.0), (2, 90.0)):
        tracking.epoch(0, replace(metrics(epoch), system={"cpu_utilization_percentage": used}))
    closed(tracking)

    history = client.get_metric_history(tracking.run_ids()[0], "system/cpu_utilization_percentage")
    assert values(history) == [(1, 70.0), (2, 90.0)]


def test_infinity_is_not_shown_as_a_number(store: Destination, client: Any, study: str):
    tracking = Tracking(store)
    tracking.study_started(study)
    tracking.epoch(0, metrics(4, val_nll=math.inf))
    closed(tracking)

    run = client.get_run(tracking.run_ids()[0])
    assert math.isnan(run.data.metrics["val_nll"])
    assert run.data.tags["not_finite"] == "epoch 4: val_nll inf"


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (TrialState.COMPLETE, ("FINISHED", "complete")),
        (TrialState.PRUNED, ("KILLED", "pruned")),
        (TrialState.FAILED, ("FAILED", "failed")),
        (TrialState.RUNNING, ("KILLED", "interrupted")),
    ],
)
def test_end_of_a_trial_has_status_and_cause(
    store: Destination, client: Any, study: str, state: TrialState, shown: tuple[str, str]
):
    tracking = Tracking(store)
    tracking.study_started(study)
    tracking.trial_started(0, {})
    tracking.trial_ended(0, state, "stopped at epoch 9: 61.2 below 63.0")
    closed(tracking)

    run = client.get_run(tracking.run_ids()[0])
    assert (run.info.status, run.data.tags["state"]) == shown
    assert run.data.tags["cause"] == "stopped at epoch 9: 61.2 below 63.0"
    assert run.info.end_time is not None


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (StudyState.COMPLETED, "FINISHED"),
        (StudyState.OUT_OF_BUDGET, "FINISHED"),
        (StudyState.FAILED, "FAILED"),
        (StudyState.INTERRUPTED, "KILLED"),
    ],
)
def test_end_of_a_study_has_status_and_summary(
    store: Destination, client: Any, study: str, state: StudyState, status: str
):
    tracking = Tracking(store)
    tracking.study_started(study)
    tracking.study_ended(state, {"best_val_accuracy": 0.9, "best_trial": 4, "verdict": "use"})
    run = client.get_run(closed(tracking).run_id)

    assert (run.info.status, run.data.tags["state"]) == (status, state.value)
    assert run.data.metrics == {"best_val_accuracy": 0.9, "best_trial": 4.0}
    assert run.data.tags["verdict"] == "use"


def test_runs_sort_by_objective_and_by_alpha(store: Destination, client: Any, study: str):
    tracking = Tracking(store)
    tracking.study_started(study)
    for number, (alpha, accuracy) in enumerate([(0.5, 0.7), (0.00005, 0.9), (2.0, 0.8)]):
        tracking.trial_started(number, mixup(alpha))
        tracking.epoch(number, metrics(1, val_accuracy=accuracy))
    experiment = closed(tracking).experiment_id

    def order(by: str) -> list[str]:
        runs = client.search_runs([experiment], "tags.`tuner.kind` = 'trial'", order_by=[by])
        return [run.data.tags["tuner.trial"] for run in runs]

    assert order("metrics.val_accuracy DESC") == ["1", "2", "0"]
    assert order("params.`mixing.ratio.alpha` ASC") == ["1", "0", "2"]


def test_resumed_study_goes_on_in_the_same_runs(store: Destination, client: Any, study: str):
    first = Tracking(store)
    first.study_started(study, params={"trials": 10})
    first.trial_started(0, mixup(1.0))
    for epoch in (1, 2, 3):
        first.epoch(0, metrics(epoch, val_accuracy=0.1))
    first.trial_ended(0, TrialState.RUNNING, "interrupted")
    before = closed(first)

    second = Tracking(store)
    second.study_started(study, params={"trials": 20})
    second.trial_started(0, mixup(1.0))
    for epoch in (3, 4):  # its last checkpoint was after epoch 2
        second.epoch(0, metrics(epoch, val_accuracy=0.4))
    second.trial_ended(0, TrialState.COMPLETE, "")
    after = closed(second)

    run = client.get_run(second.run_ids()[0])
    assert (after.experiment_id, after.run_id, second.run_ids()) == (
        before.experiment_id,
        before.run_id,
        first.run_ids(),
    )
    assert values(client.get_metric_history(run.info.run_id, "val_accuracy")) == [
        (1, 0.1),
        (2, 0.1),
        (3, 0.1),
        (4, 0.4),
    ]
    assert (run.info.status, run.data.tags["state"], run.data.tags["cause"]) == ("FINISHED", "complete", "")


def test_study_of_a_deleted_experiment_is_restored(store: Destination, client: Any, study: str):
    first = Tracking(store)
    first.study_started(study)
    experiment = closed(first).experiment_id
    client.delete_experiment(experiment)

    second = Tracking(store)
    second.study_started(study)
    assert closed(second).experiment_id == experiment
    assert client.get_experiment(experiment).lifecycle_stage == "active"
