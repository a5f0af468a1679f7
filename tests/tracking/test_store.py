"""Records applied to a real store, once and again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tracking.examples import metrics, mixup
from tuner.results import StudyState, TrialState
from tuner.tracking import Destination
from tuner.tracking.connection import TrackingFailure, open_store
from tuner.tracking.operations import EpochEnded, Operation, StudyEnded, StudyStarted, TrialEnded, TrialStarted


def events(study: str) -> list[Operation]:
    return [
        StudyStarted(study, 1000, "why", {"seed": 0}, {}),
        TrialStarted(study, 0, 1001, mixup(0.5), {}),
        *(EpochEnded(study, 0, 1001 + epoch, metrics(epoch)) for epoch in (1, 2, 3)),
        TrialEnded(study, 0, 1005, TrialState.PRUNED, "stopped"),
        StudyEnded(study, 1006, StudyState.COMPLETED, {"best": 0.5}),
    ]


def everything(client: Any, study: str) -> list[Any]:
    experiment = client.get_experiment_by_name(study).experiment_id
    runs = client.search_runs([experiment])
    histories = [
        [(point.step, point.timestamp, point.value) for point in client.get_metric_history(run.info.run_id, key)]
        for run in runs
        for key in sorted(run.data.metrics)
    ]
    return [dict(run.info) | dict(run.data) for run in runs] + histories


@pytest.mark.parametrize("fresh", [True, False], ids=["by a new process", "by the same one"])
def test_replaying_all_records_changes_nothing(store: Destination, client: Any, fresh: bool):
    study = f"replay-{fresh}".lower()
    first = open_store(store)
    for event in events(study):
        first.apply(event)
    before = everything(client, study)
    assert len([item for item in before if isinstance(item, dict)]) == 2

    second = open_store(store) if fresh else first
    for event in events(study):
        second.apply(event)
    assert everything(client, study) == before


def test_replaying_each_record_at_once_changes_nothing(store: Destination, client: Any):
    once, twice = open_store(store), open_store(store)
    for event in events("each-once"):
        once.apply(event)
    for event in events("each-twice"):
        twice.apply(event)
        open_store(store).apply(event)

    def histories(study: str) -> list[Any]:
        return [item for item in everything(client, study) if isinstance(item, list)]

    assert histories("each-twice") == histories("each-once")


def test_epoch_of_a_trial_nobody_announced_finds_its_place(store: Destination):
    lone = open_store(store)
    lone.apply(EpochEnded("lone", 5, 1000, metrics(1)))
    assert list(lone.children("lone")) == [5]
    assert lone.find("lone") is not None


def test_children_are_found_over_several_pages(store: Destination, monkeypatch: pytest.MonkeyPatch):
    pages = open_store(store)
    for number in range(5):
        pages.apply(TrialStarted("pages", number, 1000 + number, {}, {}))
    monkeypatch.setattr("tuner.tracking.runs._PAGE", 2)
    assert sorted(pages.children("pages")) == [0, 1, 2, 3, 4]


def test_other_parameters_for_a_known_trial_are_refused_for_good(store: Destination):
    strict = open_store(store)
    strict.apply(TrialStarted("strict", 0, 1000, mixup(0.5), {}))
    with pytest.raises(TrackingFailure, match="Changing param values is not allowed") as caught:
        strict.apply(TrialStarted("strict", 0, 1001, mixup(0.6), {}))
    assert caught.value.is_final
