"""Read a study from a tracking server alone: another machine's, whose storage is not here.

Over MLflow's REST interface and not through its client, whose import takes longer than the answer. All trials come in
pages of 1,000; a trial's curve is a tag of its run, for histories would be a request each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from tuner.errors import ServiceError
from tuner.results import (
    OBJECTIVES,
    StudyResult,
    StudyState,
    TrialRecord,
    TrialState,
    best_of,
    flatten,
    unmixed_baseline,
)
from tuner.tracking.credentials import take_credentials
from tuner.tracking.destination import Destination, without_credentials
from tuner.tracking.encoding import config

CURVE_TAG = "tuner.curve"
"""The objective after each epoch, as a list."""

_STATES = {state.value: state for state in TrialState}
_PAGE = 1000
_SECONDS = 30


def read(study: str, at: Destination) -> tuple[StudyResult, str, bool] | None:
    """Return a study as its runs tell it, its metric, and whether larger is better; None where the server has none.

    Of several studies of one name it is the one that was begun last.

    Raises:
        ServiceError: the server is out of reach, or does not let us in.
    """
    if not at.is_server:
        return None
    found = _get(at, "experiments/get-by-name", {"experiment_name": study})
    if found is None:
        return None
    experiment = found["experiment"]["experiment_id"]
    parent = next(_runs(at, experiment, "tags.`tuner.kind` = 'study'", ["attributes.start_time DESC"]), None)
    if parent is None:
        return None
    tags, params = _pairs(parent, "tags"), _pairs(parent, "params")
    same = f" and tags.`tuner.study_id` = '{tags['tuner.study_id']}'" if "tuner.study_id" in tags else ""
    metric = params.get("objective.metric", "val_accuracy")
    maximise = OBJECTIVES.get(metric, "max") == "max"
    runs = _runs(at, experiment, f"tags.`tuner.kind` = 'trial'{same}", [])
    trials = tuple(sorted(map(_trial, runs), key=lambda trial: trial.number))
    result = StudyResult(
        study,
        StudyState(tags.get("state", "interrupted")),
        trials,
        best_of(trials, maximise),
        unmixed_baseline(trials, maximise),
        float(_metrics(parent).get("seconds", 0.0)),
        tracking={"uri": at.shown, "experiment_id": experiment, "run_id": parent["info"]["run_id"]},
    )
    return result, metric, maximise


def _trial(run: Mapping[str, Any]) -> TrialRecord:
    tags = _pairs(run, "tags")
    nested = config(_pairs(run, "params"))
    return TrialRecord(
        number=int(tags["tuner.trial"]),
        state=_STATES.get(tags.get("state", ""), TrialState.RUNNING),
        cause=tags.get("cause", ""),
        params=flatten(nested),
        curve=tuple(json.loads(tags.get(CURVE_TAG, "[]"))),
        metrics=_metrics(run),
        seed=int(tags.get("seed", 0)),
        baseline=tags.get("baseline") == "true",
        config=nested,
        run_id=run["info"]["run_id"],
    )


def _pairs(run: Mapping[str, Any], what: str) -> dict[str, str]:
    return {one["key"]: one["value"] for one in run["data"].get(what, ())}


def _metrics(run: Mapping[str, Any]) -> dict[str, float]:
    return {one["key"]: float(one["value"]) for one in run["data"].get("metrics", ())}


def _runs(at: Destination, experiment: str, wanted: str, order: list[str]) -> Iterator[Mapping[str, Any]]:
    asked = {"experiment_ids": [experiment], "filter": wanted, "max_results": _PAGE, "order_by": order}
    while True:
        page = _post(at, "runs/search", asked)
        yield from page.get("runs", ())
        if not page.get("next_page_token"):
            return
        asked["page_token"] = page["next_page_token"]


def _get(at: Destination, path: str, params: Mapping[str, str]) -> Any:
    """Return an answer; None where there is no such thing."""
    return _ask(at, "GET", path, params=params)


def _post(at: Destination, path: str, body: Mapping[str, Any]) -> Any:
    return _ask(at, "POST", path, json=body) or {}


def _ask(at: Destination, method: str, path: str, **content: Any) -> Any:
    import requests

    try:
        take_credentials()
        name, password = (os.environ.get(f"MLFLOW_TRACKING_{one}") for one in ("USERNAME", "PASSWORD"))
        who = (name, password) if name and password else None
        address = f"{at.uri}/api/2.0/mlflow/{path}"
        answer = requests.request(method, address, auth=who, timeout=_SECONDS, **content)
        if answer.status_code == requests.codes.not_found:
            return None
        answer.raise_for_status()
        return answer.json()
    except (requests.RequestException, ValueError) as error:
        words = without_credentials(str(error))
        raise ServiceError(f"MLflow at {at.shown}: {words}; see whether MLFLOW_TRACKING_URI is right") from error
