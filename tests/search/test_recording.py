"""What the search tells MLflow while it runs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.tracking.examples import closed, mixup, store_in
from tuner import spec
from tuner.results import TrialRecord, TrialState
from tuner.search import recording
from tuner.tracking import Tracking, ids
from tuner.trial import resolve

MIXING = {"name": "mixup", "ratio": {"name": "beta", "alpha": 0.3}}
DONE = TrialRecord(
    0,
    TrialState.COMPLETE,
    "trained all 2 epochs",
    dict(mixup(0.3)),
    (0.5, 0.75),
    {"val_nll": 1.0},
    7,
    config=resolve({"dataset": "digits", "model": "small_cnn", "mixing": MIXING}),
)


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    monkeypatch.setattr(recording, "_LIST_EVERY", 3)


def test_a_study_that_runs_lists_its_trials_now_and_then(tmp_path):
    at = store_in(tmp_path)
    tracking = Tracking(at, "one")
    loaded = spec.load("digits")
    record = recording.Recording(tracking, loaded, [replace(DONE, number=4)])
    for number in (0, 2, 3, 5):
        record.trial_started(replace(DONE, number=number, state=TrialState.RUNNING))
        record.trial_ended(replace(DONE, number=number))
    record.trial_ended(replace(DONE, number=6, state=TrialState.RUNNING))  # interrupted: it goes on later
    closed(tracking)

    run = ids("digits", at).run_id
    (listed,) = (tmp_path / "artifacts").rglob(f"{run}/artifacts/trials.json")
    told = json.loads(listed.read_text())["trials"]
    assert [one["number"] for one in told] == [0, 2, 4]
    assert told[0]["curve"] == [0.5, 0.75]
    assert [one["run_id"] for one in told] == [tracking.run_ids()[0], tracking.run_ids()[2], None]


def test_the_page_of_a_study_is_chosen_by_what_it_searches(tmp_path):
    from mlflow import MlflowClient

    at = store_in(tmp_path)
    tracking = Tracking(at, "one")
    recording.Recording(tracking, spec.load("digits", ["objective.metric=val_nll"]))
    closed(tracking)

    (experiment,) = MlflowClient(at.uri).search_experiments(filter_string="name = 'digits'")
    chosen = json.loads(experiment.tags["mlflow.sharedViewState.tuner"])
    assert (chosen["orderByKey"], chosen["orderByAsc"]) == ("metrics.`val_nll`", True)
    shown = [column for column in chosen["selectedColumns"] if column.startswith("params.")]
    assert shown[:3] == ["params.`mixing.name`", "params.`mixing.ratio.alpha`", "params.`mixing.probability`"]
    scatter = chosen["compareRunCharts"][0]
    assert (scatter["type"], scatter["xaxis"]["key"], scatter["yaxis"]["key"]) == (
        "SCATTER",
        "mixing.ratio.alpha",
        "val_nll",
    )
