"""Read a study from a tracking server alone: another machine's, whose storage is not here.

Over MLflow's REST interface and not through its client, whose import takes longer than the answer. A study that ended
has left a list of its trials; runs that began or ended since are asked for by themselves, as all are where there is no
list: a thousand take a server seconds. A trial's curve is a tag of its run, for histories would be a request each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

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
from tuner.tracking import rest
from tuner.tracking.destination import Destination
from tuner.tracking.encoding import config
from tuner.tracking.view import VIEW_TAG

CURVE_TAG = "tuner.curve"
"""The objective after each epoch, as a list."""

TRIALS_FILE = "trials.json"
"""All trials of a study, as it ended, among the files of its run."""

_SLACK_MS = 1000
_STATES = {state.value: state for state in TrialState}
_PAGE = 1000


def read(study: str, at: Destination) -> tuple[StudyResult, str, bool] | None:
    """Return a study as its runs tell it, its metric, and whether larger is better; None where the server has none.

    Of several studies of one name it is the one that was begun last.

    Raises:
        ServiceError: the server is out of reach, or does not let us in.
    """
    if not at.is_server:
        return None
    parent = _parent(study, at)
    if parent is None:
        return None
    experiment = parent["info"]["experiment_id"]
    tags, params = _pairs(parent, "tags"), _pairs(parent, "params")
    same = f" and tags.`tuner.study_id` = '{tags['tuner.study_id']}'" if "tuner.study_id" in tags else ""
    metric = params.get("objective.metric", "val_accuracy")
    maximise = OBJECTIVES.get(metric, "max") == "max"
    trials = _trials(at, experiment, parent["info"]["run_id"], f"tags.`tuner.kind` = 'trial'{same}")
    result = StudyResult(
        study,
        StudyState(tags.get("state", "interrupted")),
        trials,
        best_of(trials, maximise),
        unmixed_baseline(trials, maximise),
        float(_metrics(parent).get("seconds", 0.0)),
        tracking=at.found_at(experiment, parent["info"]["run_id"]),
    )
    return result, metric, maximise


def file(study: str, path: str, at: Destination) -> bytes | None:
    """Return a file of a study's run; None where the server has no such study, or that no such file.

    Raises:
        ServiceError: the server is out of reach, or does not let us in.
    """
    parent = _parent(study, at) if at.is_server else None
    found = rest.artifact(at, parent["info"]["run_id"], path) if parent else None
    return None if found is None else bytes(found.content)


def experiment(at: Destination, study: str | None = None) -> tuple[str, str] | None:
    """Return the name and MLflow's number of a study's experiment, by default of the study that was begun last.

    Raises:
        ServiceError: the server is out of reach, or does not let us in.
    """
    if study is not None:
        found = rest.get(at, "experiments/get-by-name", {"experiment_name": study})
        return (study, found["experiment"]["experiment_id"]) if found else None
    asked = {"filter": f"tags.`{VIEW_TAG}` != ''", "order_by": ["last_update_time DESC"], "max_results": 1}
    last = rest.post(at, "experiments/search", asked).get("experiments", ())
    return (last[0]["name"], last[0]["experiment_id"]) if last else None


def _trials(at: Destination, experiment: str, parent: str, wanted: str) -> tuple[TrialRecord, ...]:
    """Return the trials that a study has listed, with what has changed since."""
    answer = rest.artifact(at, parent, TRIALS_FILE)
    if answer is None:
        found = {one.number: one for one in map(_trial, _runs(at, experiment, wanted, []))}
    else:
        listed = rest.document(at, answer)
        found = {one["number"]: _listed(one) for one in listed["trials"]}
        since = int(listed["at_ms"]) - _SLACK_MS
        for changed in (f"attributes.end_time > {since}", "attributes.status = 'RUNNING'"):
            found |= {one.number: one for one in map(_trial, _runs(at, experiment, f"{wanted} and {changed}", []))}
    return tuple(found[number] for number in sorted(found))


def _listed(one: Mapping[str, Any]) -> TrialRecord:
    return TrialRecord(
        number=one["number"],
        state=TrialState(one["state"]),
        cause=one["cause"],
        params=one["params"],
        curve=tuple(one["curve"]),
        metrics=one["metrics"],
        seed=one["seed"],
        baseline=one["baseline"],
        run_id=one["run_id"],
    )


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


def _parent(study: str, at: Destination) -> Mapping[str, Any] | None:
    """Return the run of the study of that name that was begun last."""
    if (found := experiment(at, study)) is None:
        return None
    return next(_runs(at, found[1], "tags.`tuner.kind` = 'study'", ["attributes.start_time DESC"]), None)


def _runs(at: Destination, experiment: str, wanted: str, order: list[str]) -> Iterator[Mapping[str, Any]]:
    asked = {"experiment_ids": [experiment], "filter": wanted, "max_results": _PAGE, "order_by": order}
    while True:
        page = rest.post(at, "runs/search", asked)
        yield from page.get("runs", ())
        if not page.get("next_page_token"):
            return
        asked["page_token"] = page["next_page_token"]
