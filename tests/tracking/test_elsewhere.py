"""A study read from a tracking server alone, as from another machine."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.tracking.examples import closed, metrics, mixup
from tests.tracking.servers import Server
from tuner.errors import ServiceError
from tuner.results import StudyState, TrialRecord, TrialState
from tuner.tracking import Destination, Tracking, elsewhere, rest
from tuner.tracking.encoding import TAG_LENGTH, curve_text


def write(at: Destination, identity: str, accuracy: float) -> dict[int, str]:
    tracking = Tracking(at, identity)
    tracking.study_started("far", params={"objective.metric": "val_accuracy"})
    for number, params in enumerate([{"mixing.name": "none"}, mixup(0.31), mixup(2.0)]):
        tracking.trial_started(number, params, {"seed": 7, "baseline": number == 0})
        curve = [accuracy, accuracy + number / 100]
        for epoch, value in enumerate(curve, start=1):
            tracking.epoch(number, metrics(epoch, val_accuracy=value))
        state = TrialState.PRUNED if number == 2 else TrialState.COMPLETE
        tracking.trial_ended(number, state, f"cause {number}", curve=curve)
    tracking.study_ended(StudyState.COMPLETED, {"seconds": 12.5})
    closed(tracking)
    return tracking.run_ids()


def test_the_last_study_of_a_name_is_read_whole(server: Server, monkeypatch: pytest.MonkeyPatch):
    at = Destination(server.address)
    write(at, "first", 0.5)
    runs = write(at, "second", 0.7)
    monkeypatch.setattr(elsewhere, "_PAGE", 2)
    result, metric, maximise = found(at, "far")
    assert (metric, maximise, result.state, result.seconds) == ("val_accuracy", True, StudyState.COMPLETED, 12.5)
    assert [trial.curve for trial in result.trials] == [(0.7, 0.7), (0.7, 0.71), (0.7, 0.72)]
    assert [trial.cause for trial in result.trials] == ["cause 0", "cause 1", "cause 2"]
    assert [trial.run_id for trial in result.trials] == [runs[number] for number in range(3)]
    assert result.trials[1].params == dict(mixup(0.31))
    assert (result.best, result.baseline) == (result.trials[1], result.trials[0])
    assert result.trials[0].seed == 7


def found(at: Destination, name: str) -> Any:
    read = elsewhere.read(name, at)
    assert read is not None
    return read


def test_study_that_nobody_has_is_none(server: Server):
    assert elsewhere.read("nobody", Destination(server.address)) is None
    assert elsewhere.read("nobody", Destination("sqlite:////nowhere/mlflow.db")) is None


def test_server_out_of_reach_is_told_without_its_password():
    with pytest.raises(ServiceError, match="MLFLOW_TRACKING_URI") as caught:
        elsewhere.read("any", Destination("http://me:hush@127.0.0.1:9"))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"TOKEN": "abc"}, {"headers": {"Authorization": "Bearer abc"}}),
        ({"TOKEN": "abc", "USERNAME": "me", "PASSWORD": "hush"}, {"auth": ("me", "hush")}),
        ({"INSECURE_TLS": "true"}, {"verify": False}),
        ({"SERVER_CERT_PATH": "/ca.pem", "CLIENT_CERT_PATH": "/own.pem"}, {"verify": "/ca.pem", "cert": "/own.pem"}),
    ],
)
def test_who_we_are_and_whom_we_trust_is_told_as_mlflow_s_own_client_does(
    settings: dict[str, str], expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    for key, value in settings.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{key}", value)
    asked: dict[str, Any] = {}

    def request(*_: Any, **more: Any) -> Any:
        asked.update(more)
        raise requests.ConnectionError("nobody there")

    monkeypatch.setattr(requests, "request", request)
    with pytest.raises(ServiceError, match="nobody there"):
        elsewhere.read("any", Destination("https://mlflow.example"))
    assert {key: asked[key] for key in ("auth", "headers", "verify", "cert") if key in asked} == expected


def test_an_answer_that_is_no_json_is_told(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rest, "_API", "health?")  # a page that says OK, as one that asks to log in might
    with pytest.raises(ServiceError, match="answers with no JSON"):
        elsewhere.read("any", Destination(server.address))


@pytest.mark.parametrize("epochs", [1, 30, 400, 3000])
def test_curve_of_any_length_fits_a_tag(epochs: int):
    assert len(curve_text([1 / 3] * epochs)) <= TAG_LENGTH


def trial(number: int) -> TrialRecord:
    params = {**mixup(0.31), **{f"part.{index}": index / 7 for index in range(25)}}
    return TrialRecord(number, TrialState.COMPLETE, "trained", params, (0.123456789,) * 27, {"val_nll": 0.5}, 7)


def test_2000_trials_that_were_listed_are_read_in_few_requests(server: Server, monkeypatch: pytest.MonkeyPatch):
    at = Destination(server.address)
    tracking = Tracking(at, "many")
    tracking.study_started("many")
    tracking.trial_started(0, {"mixing.name": "none"}, {"seed": 7})
    tracking.trials_listed([trial(number) for number in range(2000)])
    closed(tracking)
    tracking = Tracking(at, "many")
    tracking.study_started("many")
    tracking.trial_started(2000, mixup(0.5), {"seed": 7})
    closed(tracking)

    asked, ask = [], requests.request
    monkeypatch.setattr(requests, "request", lambda *what, **more: asked.append(what) or ask(*what, **more))
    trials = found(at, "many")[0].trials
    assert len(asked) == 5  # the experiment, its run, the list, what ended since and what runs
    assert [one.number for one in trials] == list(range(2001))
    assert (trials[1].curve, trials[1].params) == (trial(1).curve, {**trial(1).params})
    assert (trials[0].state, trials[2000].state) == (TrialState.RUNNING, TrialState.RUNNING)
