"""What can be recorded, as plain data that can be written at any time, any number of times.

Times are milliseconds since 1970, taken when the thing happened and not when it is written: MLflow knows a
metric again by its run, key, step, time and value, so that writing a record twice leaves one value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tuner.results import EpochMetrics, StudyState, TrialState

Kind = Literal["trial", "confirmation"]
"""What a training is: one of the search, or one that confirms it on a fresh seed. Each kind is numbered from 0."""


@dataclass(frozen=True)
class StudyStarted:
    """A study begins, or goes on; `view` is how MLflow's page is to show it (`view.shared_view`)."""

    study: str
    at_ms: int
    description: str
    params: Mapping[str, Any]
    tags: Mapping[str, Any]
    view: str = ""


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
    """A trial is over, or was interrupted (`running`).

    `scores` are those of the whole training, such as a test's; `curve` is the objective after each epoch.
    """

    study: str
    number: int
    at_ms: int
    state: TrialState
    cause: str
    kind: Kind = "trial"
    scores: Mapping[str, float] = field(default_factory=dict)
    curve: Sequence[float] = ()


@dataclass(frozen=True)
class StudyEnded:
    """A study is over, or was interrupted; numbers of the summary become metrics, words become tags."""

    study: str
    at_ms: int
    state: StudyState
    summary: Mapping[str, float | int | str]


@dataclass(frozen=True)
class FileMade:
    """A file of the study's run, or of a trial's (`number`); `content` is its bytes, or where a large one lies."""

    study: str
    at_ms: int
    name: str
    content: bytes | Path
    number: int | None = None
    kind: Kind = "trial"


@dataclass(frozen=True)
class Described:
    """The study's run has a new description, in Markdown."""

    study: str
    at_ms: int
    text: str


@dataclass(frozen=True)
class DatasetInput:
    """Data that a run has read, as MLflow shows it.

    `digest` (at most 36 characters) tells versions of the data apart, `source` says where it is from, `context` what it
    is for (training, test), `profile` holds numbers, `schema` MLflow's own form: `{"mlflow_tensorspec": ...}`.
    """

    name: str
    digest: str
    source: str
    context: str = "training"
    profile: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetUsed:
    """The study, or one of its trials (`number`), has read a data set."""

    study: str
    at_ms: int
    dataset: DatasetInput
    number: int | None = None
    kind: Kind = "trial"


@dataclass(frozen=True)
class RegisteredModel:
    """A trained network for MLflow's model registry.

    `network` is a file that `tuner.trial.load_network` reads. `policy`, the mixing block that trained it, tells one
    version of a study from the next: the same policy is registered once. `trial` is the trial that trained it.
    """

    name: str
    network: Path
    policy: Mapping[str, Any]
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    trial: int | None = None
    alias: str = "recommended"


@dataclass(frozen=True)
class ModelTrained:
    """A network is to stand in the model registry."""

    study: str
    at_ms: int
    model: RegisteredModel


@dataclass(frozen=True)
class Progressed:
    """How far a study has come, `step` trials into it; a step that its run has is not recorded again."""

    study: str
    at_ms: int
    step: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class OrphansEnded:
    """No training of this kind goes on: runs that a driver left running when it died end here."""

    study: str
    at_ms: int
    kind: Kind = "trial"


@dataclass(frozen=True)
class TrialsListed:
    """All trials of a study as they stand, in the form in which scripts get them (DESIGN.md, section 4)."""

    study: str
    at_ms: int
    trials: Sequence[Mapping[str, Any]]


Operation = (
    StudyStarted
    | TrialStarted
    | EpochEnded
    | TrialEnded
    | StudyEnded
    | FileMade
    | Described
    | DatasetUsed
    | ModelTrained
    | Progressed
    | OrphansEnded
    | TrialsListed
)


@dataclass(frozen=True)
class RunIds:
    """Where something was recorded: MLflow's names of the experiment and of the run."""

    experiment_id: str
    run_id: str
