"""Optuna's storage, the one truth of a study: parameters, the objective of every epoch, states and causes."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from tuner.errors import UsageError
from tuner.home import studies_directory, study_directory
from tuner.results import EpochMetrics, TrialRecord, TrialState, flatten

_STATES = {
    OptunaState.COMPLETE: TrialState.COMPLETE,
    OptunaState.PRUNED: TrialState.PRUNED,
    OptunaState.FAIL: TrialState.FAILED,
    OptunaState.RUNNING: TrialState.RUNNING,
}


def create(name: str, maximise: bool) -> optuna.Study:
    """Create a study's folder and storage.

    Raises:
        UsageError: a study of that name exists.
    """
    refuse_existing(name)
    study_directory(name).mkdir(parents=True, exist_ok=True)
    direction = StudyDirection.MAXIMIZE if maximise else StudyDirection.MINIMIZE
    return optuna.create_study(study_name=name, storage=_storage(name), direction=direction)


def refuse_existing(name: str) -> None:
    """Check that the name is free, so that two studies never mix.

    Raises:
        UsageError: a study of that name exists.
    """
    if exists(name):
        raise UsageError(
            f"a study named {name} exists in {study_directory(name)}; go on with `tuner resume {name}`, look at it "
            f"with `tuner trials {name}`, or run under another name: --set name={name}-2"
        )


def load(name: str) -> optuna.Study:
    """Open an existing study.

    Raises:
        UsageError: there is none of that name.
    """
    if not exists(name):
        known = ", ".join(names()) or "none yet"
        raise UsageError(f"no study named {name} under {studies_directory()}; known: {known}")
    try:
        return optuna.load_study(study_name=name, storage=_storage(name))
    except KeyError as error:
        folder = study_directory(name)
        raise UsageError(
            f"study {name} was never begun: its driver died at once; delete {folder} and run it"
        ) from error


def exists(name: str) -> bool:
    """Tell whether a study of that name has a journal here."""
    return _journal(name).is_file()


def names() -> list[str]:
    """Return the names of all studies under TUNER_HOME."""
    return sorted(path.parent.name for path in studies_directory().glob("*/journal.log"))


def records(study: optuna.Study, run_ids: Mapping[int, str] | None = None) -> list[TrialRecord]:
    """Return every trial that was started, in order."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if is_started(trial)]
    return [record(trial, run_ids or {}) for trial in trials]


def record(trial: FrozenTrial, run_ids: Mapping[int, str]) -> TrialRecord:
    """Return one trial as the record that travels."""
    attributes = trial.user_attrs
    config = json.loads(attributes.get("config", "{}"))
    epochs = sorted(trial.intermediate_values)
    last = attributes.get(epoch_key(epochs[-1]), {}) if epochs else {}
    return TrialRecord(
        number=trial.number,
        state=_STATES[trial.state],
        cause=attributes.get("cause", ""),
        params=flatten(config),
        curve=tuple(trial.intermediate_values[epoch] for epoch in epochs),
        metrics=last,
        seed=attributes.get("seed", 0),
        baseline=attributes.get("baseline", False),
        config=config,
        run_id=run_ids.get(trial.number),
    )


def is_started(trial: FrozenTrial) -> bool:
    """Tell whether a trial was ever handed out: not one that waits, nor one whose driver died while it was drawn."""
    return trial.state in _STATES and "config" in trial.user_attrs


def history(trial: FrozenTrial) -> list[EpochMetrics]:
    """Return every epoch's metrics of a trial."""
    attributes = trial.user_attrs
    return [EpochMetrics(epoch, **attributes[epoch_key(epoch)]) for epoch in sorted(trial.intermediate_values)]


def epoch_key(epoch: int) -> str:
    """Return the name of the attribute that keeps one epoch's metrics."""
    return f"epoch_{epoch}"


def set_state(study: optuna.Study, **attributes: Any) -> None:
    """Write attributes of the study (state, seconds, text of its file) that changed."""
    for name, value in attributes.items():
        if study.user_attrs.get(name) != value:
            study.set_user_attr(name, value)


def _journal(name: str) -> Path:
    return study_directory(name) / "journal.log"


def _storage(name: str) -> BaseStorage:
    optuna.logging.set_verbosity(logging.WARNING)
    return JournalStorage(JournalFileBackend(str(_journal(name))))
