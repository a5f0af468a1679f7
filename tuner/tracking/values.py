"""Parameters, tags and metrics of a run, within MLflow's limits and each metric once.

Imported by `store` alone: MLflow reads some of its settings when it is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from tuner.tracking.encoding import (
    PARAM_LENGTH,
    TAG_LENGTH,
    changes,
    finite_or_nan,
    name,
    not_finite,
    param_texts,
    portions,
    tag_texts,
)
from tuner.tracking.operations import EpochEnded, Progressed

CHANGED_TAG = "tuner.changed"
"""Says what of a run is not recorded as it was given."""

SYSTEM_PREFIX = "system/"
"""MLflow shows metrics whose names begin so on a page of their own."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Values:
    """Writes what belongs to a run, and knows which steps of a metric a run has."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client
        self._steps: dict[tuple[str, str], set[int]] = {}

    def write(
        self,
        run_id: str,
        *,
        points: Sequence[Metric] = (),
        params: Mapping[str, Any] = _NOTHING,
        tags: Mapping[str, Any] = _NOTHING,
    ) -> None:
        """Write in one request where that is enough; what was changed for MLflow's limits is noted as a tag."""
        changed = [*changes(params, PARAM_LENGTH), *changes(tags, TAG_LENGTH)]
        noted = {CHANGED_TAG: "; ".join(changed)} if changed else {}
        some_params = list(portions(param_texts(params)))
        some_tags = list(portions(tag_texts({**tags, **noted})))
        for place in range(max(1, len(some_params), len(some_tags))):
            self._client.log_batch(
                run_id,
                metrics=points if place == 0 else (),
                params=[Param(key, value) for one in some_params[place : place + 1] for key, value in one.items()],
                tags=[RunTag(key, value) for one in some_tags[place : place + 1] for key, value in one.items()],
            )

    def of_whole_run(self, run_id: str, values: Mapping[str, float | int], at_ms: int) -> list[Metric]:
        """Return values of the whole run as points, without those that it has; told again, they would stand twice."""
        known = self._client.get_run(run_id).data.metrics if values else {}
        points = [Metric(name(key), finite_or_nan(value), at_ms, 0) for key, value in values.items()]
        return [point for point in points if known.get(point.key) != point.value]

    def of_epochs(self, run_id: str, events: Sequence[EpochEnded], is_new: bool) -> tuple[list[Metric], dict[str, str]]:
        """Return the epochs that a run lacks as points, and a tag on what of them is no number."""
        fresh = {event.metrics.epoch: event for event in events}
        if fresh:
            known = self._known(run_id, next(iter(events[0].metrics.as_dict())), is_new)
            fresh = {epoch: event for epoch, event in fresh.items() if epoch not in known}
        points = [
            Metric(name(key), finite_or_nan(value), event.at_ms, epoch)
            for epoch, event in fresh.items()
            for key, value in (event.metrics.as_dict() | _prefixed(event.metrics.system)).items()
        ]
        told = {epoch: not_finite(event.metrics.as_dict()) for epoch, event in fresh.items()}
        broken = "; ".join(f"epoch {epoch}: {wrong}" for epoch, wrong in told.items() if wrong)
        return points, {"not_finite": broken} if broken else {}

    def of_progress(self, run_id: str, events: Sequence[Progressed], is_new: bool) -> list[Metric]:
        """Return the steps that a study's run lacks as points."""
        known = self._known(run_id, next(iter(events[0].metrics)), is_new)
        fresh = {event.step: event for event in events if event.step not in known}
        return [
            Metric(name(key), finite_or_nan(value), event.at_ms, step)
            for step, event in fresh.items()
            for key, value in event.metrics.items()
        ]

    def written(self, run_id: str, points: Sequence[Metric]) -> None:
        """Remember points that MLflow has taken."""
        for point in points:
            if (run_id, point.key) in self._steps:
                self._steps[run_id, point.key].add(point.step)

    def forget(self, run_id: str) -> None:
        """Ask anew which steps a run has."""
        self._steps = {key: steps for key, steps in self._steps.items() if key[0] != run_id}

    def _known(self, run_id: str, metric: str, is_new: bool) -> set[int]:
        """Return the steps that a run has; a request is written whole or not at all, so one metric tells for all."""
        if (run_id, metric) not in self._steps:
            points = [] if is_new else self._client.get_metric_history(run_id, metric)
            self._steps[run_id, metric] = {point.step for point in points}
        return self._steps[run_id, metric]


def _prefixed(used: Mapping[str, float]) -> dict[str, float]:
    return {f"{SYSTEM_PREFIX}{key}": value for key, value in used.items()}
