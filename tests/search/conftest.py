"""Studies driven without Ray: a real study file and a real Optuna journal, with curves made up by the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tuner import spec
from tuner.results import EpochMetrics
from tuner.search import baselines, storage
from tuner.search.search import Assignment, Search

STUDY = """
name: simulated
trial:
  dataset: {name: digits}
  model: {name: small_cnn, padding: same}
  training: {epochs: 9}
  mixing:
    choice:
      none: {}
      mixup: {ratio: {name: beta, alpha: {low: 0.05, high: 8.0, log: true}}}
      cutmix: {probability: {low: 0.25, high: 1.0, step: 0.25}}
search: {trials: 12}
scheduler: {grace_epochs: 1, reduction: 3}
confirm: {seeds: 0}
"""

Curve = Callable[[Assignment, int], float]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., spec.StudySpec]:
    """Load the study with overrides such as `search.trials=3`."""

    def loaded(*overrides: str, text: str = STUDY) -> spec.StudySpec:
        path = tmp_path / "study.yaml"
        path.write_text(text)
        return spec.load(path, overrides)

    return loaded


def begin(loaded: spec.StudySpec, slots: int = 1, **more: object) -> Search:
    """Create the study's storage with its baselines, and its search."""
    study = storage.create(loaded.name, loaded.objective.mode == "max")
    storage.set_state(study, metric=loaded.objective.metric, source=loaded.source)
    baselines.enqueue(study, baselines.queue(loaded))
    return Search(loaded, study, slots, **more)


def again(loaded: spec.StudySpec, slots: int = 1) -> Search:
    """Open a study that exists, as a new process would."""
    return Search(loaded, storage.load(loaded.name), slots)


def metrics(epoch: int, value: float, seconds: float = 1.0) -> EpochMetrics:
    return EpochMetrics(epoch, 1.0, value, 1.0 - value, 0.1, 0.01, 1000.0, seconds)


def train(search: Search, assignment: Assignment, curve: Curve, upto: int = 10**6) -> int:
    """Report a trial's curve until it is told to stop or `upto` epochs are done; return the epochs reported."""
    for epoch in range(assignment.epochs + 1, upto + 1):
        if search.report(assignment.number, metrics(epoch, curve(assignment, epoch))):
            return epoch
    return upto


def drive(search: Search, curve: Curve) -> list[Assignment]:
    """Run a search to its end, one trial at a time."""
    done = []
    while (assignment := search.ask()) is not None:
        train(search, assignment, curve)
        done.append(assignment)
    return done


def rising(assignment: Assignment, epoch: int) -> float:
    """A curve that depends on the policy alone: best at alpha 1, and slower the stronger it mixes."""
    alpha = assignment.config["mixing"].get("ratio", {}).get("alpha", 0.3)
    return (0.9 - 0.02 * abs(alpha - 1)) * (1 - 0.5**epoch)
