"""What can be recorded, as plain data that can be written at any time, any number of times.

Times are milliseconds since 1970, taken when the thing happened and not when it is written: MLflow knows a
metric again by its run, key, step, time and value, so that writing a record twice leaves one value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tuner.results import EpochMetrics, StudyState, TrialState

Kind = Literal["trial", "confirmation"]
"""What a training is: one of the search, or one that confirms it on a fresh seed. Each kind is numbered from 0."""


@dataclass(frozen=True)
class StudyStarted:
    """A study begins, or goes on; `study_file` is the file's text."""

    study: str
    at_ms: int
    description: str
    params: Mapping[str, Any]
    tags: Mapping[str, Any]
    study_file: str


@dataclass(frozen=True)
class TrialStarted:
    """A trial begins, or goes on from its checkpoint; `params` is resolved and flat.

    `parent` is the trial of the search that a confirming one repeats; its run is shown under that one's.
    """

    study: str
    number: int
    at_ms: int
    params: Mapping[str, Any]
    tags: Mapping[str, Any]
    kind: Kind = "trial"
    name: str = ""
    parent: int | None = None


@dataclass(frozen=True)
class EpochEnded:
    """A trial has trained and validated one epoch."""

    study: str
    number: int
    at_ms: int
    metrics: EpochMetrics
    kind: Kind = "trial"


@dataclass(frozen=True)
class TrialEnded:
    """A trial is over, or was interrupted (`running`); `scores` are those of the whole training, such as a test's."""

    study: str
    number: int
    at_ms: int
    state: TrialState
    cause: str
    kind: Kind = "trial"
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyEnded:
    """A study is over, or was interrupted; numbers of the summary become metrics, words become tags."""

    study: str
    at_ms: int
    state: StudyState
    summary: Mapping[str, float | int | str]


Operation = StudyStarted | TrialStarted | EpochEnded | TrialEnded | StudyEnded


@dataclass(frozen=True)
class RunIds:
    """Where something was recorded: MLflow's names of the experiment and of the run."""

    experiment_id: str
    run_id: str
