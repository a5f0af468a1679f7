"""The page of a study in MLflow, with the columns and charts that answer its question.

MLflow keeps what a visitor chose in the visitor's browser alone, but for what is shared: that is a tag of the
experiment, opened by the address `#/experiments/ID/runs?viewStateShareKey=KEY`. We share a choice under the key
`tuner`, in the form that MLflow's own Share button writes (3.17: `ExperimentPageUIState`, `RunsChartsCardConfig`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

KEY = "tuner"
VIEW_TAG = f"mlflow.sharedViewState.{KEY}"

_MOST_COLUMNS = 6
_MOST_AXES = 4
"""A run that lacks one of them is not drawn, and more cannot be read."""

_TELLING = ("mixing.name", "mixing.ratio.alpha", "mixing.probability", "mixing.ratio.name")
"""What is asked first of a policy, where it is searched; most policies have it."""

_TRIALS = "tags.`tuner.kind` = 'trial'"
_MOST_RUNS = 100
"""As many runs as MLflow's page loads at a time."""

_OURS, _MODEL, _SYSTEM = "tuner-study", "tuner-metrics", "tuner-system"
"""Sections of the page: ours first, then the two that MLflow fills with every metric."""


def page(address: str, experiment_id: str) -> str:
    """Return where a study's page opens, with its table of trials."""
    return f"{address}/#/experiments/{experiment_id}/runs?viewStateShareKey={KEY}"


def charts(address: str, experiment_id: str) -> str:
    """Return where a study's page opens, with its charts."""
    return f"{page(address, experiment_id)}&compareRunsMode=CHART"


def shared_view(metric: str, maximise: bool, searched: Sequence[str]) -> str:
    """Return the choice as the tag's text: the objective, what is searched and the cause as columns, best first.

    `searched` are parameters as runs have them (`mixing.ratio.alpha`). Shown are the search's trials; their charts:
    alpha against the objective, the objective by epoch, and the parameters side by side.
    """
    chosen = [*(name for name in _TELLING if name in searched), *(one for one in searched if one not in _TELLING)]
    cards = list(_cards(metric, chosen))
    state: dict[str, Any] = {
        "searchFilter": _TRIALS,
        "orderByKey": _column("metrics", metric),
        "orderByAsc": not maximise,
        "selectedColumns": [
            _column("metrics", metric),
            *(_column("params", name) for name in chosen[:_MOST_COLUMNS]),
            *(_column("tags", name) for name in ("cause", "state")),
        ],
        "runsHiddenMode": "SHOW_ALL",
        "hideEmptyCharts": True,
        "isAccordionReordered": True,  # or MLflow sorts its sections by their names
        "compareRunSections": [
            _section(_OURS, "Study"),
            _section(_MODEL, "Model metrics"),
            _section(_SYSTEM, "System metrics"),
        ],
        "compareRunCharts": [{**card, "uuid": f"{_OURS}-{place}"} for place, card in enumerate(cards)],
    }
    return json.dumps(state, separators=(",", ":"))


def _cards(metric: str, searched: Sequence[str]) -> Iterator[dict[str, Any]]:
    objective = {"key": metric, "type": "METRIC"}
    numbers = [name for name in searched if not name.endswith(".name")]
    for name in sorted(numbers, key=lambda one: not one.endswith(".alpha"))[:2]:
        against = {"xaxis": {"key": name, "type": "PARAM"}, "yaxis": objective}
        yield _card("SCATTER", f"{name} against {metric}", runsCountToCompare=_MOST_RUNS) | against
    yield _card("LINE", f"{metric} by epoch", metricKey=metric, selectedMetricKeys=[metric]) | _LINE
    if searched:
        axes = {"selectedParams": list(searched[:_MOST_AXES]), "selectedMetrics": [metric], "showAllRuns": True}
        yield _card("PARALLEL", f"what was searched, and {metric}") | axes


_LINE: dict[str, Any] = {
    "lineSmoothness": 0,
    "scaleType": "linear",
    "xAxisScaleType": "linear",
    "xAxisKey": "step",
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "selectedXAxisMetricKey": "",
    "range": {},
    "useGlobalXaxisKey": True,
    "useGlobalLineSmoothing": True,
}


def _card(kind: str, title: str, **more: Any) -> dict[str, Any]:
    own = {"type": kind, "displayName": title, "metricSectionId": _OURS, "deleted": False, "isGenerated": False}
    return {**own, "runsCountToCompare": 10, **more}


def _section(identity: str, name: str) -> dict[str, Any]:
    return {"uuid": identity, "name": name, "display": True, "isReordered": False, "deleted": False}


def _column(kind: str, name: str) -> str:
    """Return a column as MLflow names it."""
    return f"{kind}.`{name}`"
