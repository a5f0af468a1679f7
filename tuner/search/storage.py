"""Optuna's storage, the one truth of a study: parameters, the objective of every epoch, states and causes."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage, JournalStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from tuner.errors import UsageError
from tuner.home import studies_directory, study_directory
from tuner.results import EpochMetrics, TrialRecord, TrialState, flatten
from tuner.search import database
from tuner.search.journal import WholeRecords

_STATES = {
    OptunaState.COMPLETE: TrialState.COMPLETE,
    OptunaState.PRUNED: TrialState.PRUNED,
    OptunaState.FAIL: TrialState.FAILED,
    OptunaState.RUNNING: TrialState.RUNNING,
}


_CONFIRMATION = ".confirm"
"""What the trainings that confirm a study are called after its name; no study's own name has a dot."""


def create(name: str, maximise: bool) -> optuna.Study:
    """Create a study's folder and storage.

    Raises:
        UsageError: a study of that name exists.
    """
    refuse_existing(name)
    study_directory(name).mkdir(parents=True, exist_ok=True)
    direction = StudyDirection.MAXIMIZE if maximise else StudyDirection.MINIMIZE
    try:
        return optuna.create_study(study_name=name, storage=_storage(name), direction=direction)
    except DuplicatedStudyError:
        raise _existing(name) from None


def refuse_existing(name: str) -> None:
    """Check that the name is free, so that two studies never mix.

    Raises:
        UsageError: a study of that name exists.
    """
    if exists(name):
        raise _existing(name)


def load(name: str) -> optuna.Study:
    """Open an existing study.

    Raises:
        UsageError: there is none of that name.
    """
    if not exists(name):
        known = ", ".join(names()) or "none yet"
        raise UsageError(f"no study named {name} {place()}; known: {known}")
    try:
        return optuna.load_study(study_name=name, storage=_storage(name))
    except KeyError as error:
        folder = study_directory(name)
        raise UsageError(
            f"study {name} was never begun: its driver died at once; delete {folder} and run it"
        ) from error


def attributes(name: str) -> dict[str, Any]:
    """Return the attributes of an existing study; none of one that was removed just now."""
    try:
        return dict(optuna.load_study(study_name=name, storage=_storage(name)).user_attrs)
    except KeyError:
        return {}


def confirmation(study: optuna.Study) -> optuna.Study:
    """Return the trainings that confirm a study, stored beside it; they are begun where there are none."""
    name = _confirmation_name(study.study_name)
    storage = study._storage
    return optuna.create_study(study_name=name, storage=storage, direction=study.direction, load_if_exists=True)


def confirmation_if_begun(study: optuna.Study) -> optuna.Study | None:
    """Return the trainings that confirm a study, if there are any."""
    name = _confirmation_name(study.study_name)
    if name not in optuna.get_all_study_names(study._storage):
        return None
    return optuna.load_study(study_name=name, storage=study._storage)


def exists(name: str) -> bool:
    """Tell whether a study of that name is stored here."""
    return name in names() if database.is_used() else _is_begun(_journal(name))


def names() -> list[str]:
    """Return the names of all studies in the database, or else under TUNER_HOME."""
    if database.is_used():
        return sorted(one for one in optuna.get_all_study_names(database.storage()) if _CONFIRMATION not in one)
    return sorted(path.parent.name for path in studies_directory().glob("*/journal.log") if _is_begun(path))


def place() -> str:
    """Say where studies are stored, without credentials."""
    return f"at {database.shown()}" if database.is_used() else f"under {studies_directory()}"


def delete(name: str) -> None:
    """Remove what is stored of a study, if there is one, and its folder."""
    if database.is_used():
        stored = optuna.get_all_study_names(database.storage())
        for one in (_confirmation_name(name), name):  # this order: what is left half way can be deleted again
            if one in stored:
                optuna.delete_study(study_name=one, storage=database.storage())
    shutil.rmtree(study_directory(name), ignore_errors=True)


def mend(name: str) -> None:
    """Take away the lock that a driver left when it was killed while it wrote; only for who holds the lease.

    Optuna would wait half a minute for it.
    """
    with suppress(FileNotFoundError):
        _journal(name).with_name("journal.log.lock").unlink()


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
        metrics={name: value for name, value in last.items() if name != "system"},
        seed=attributes.get("seed", 0),
        baseline=attributes.get("baseline", False),
        config=config,
        run_id=run_ids.get(trial.number),
    )


def is_started(trial: FrozenTrial) -> bool:
    """Tell whether a trial was ever handed out: not one that waits, nor one whose driver died while it was drawn."""
    return trial.state in _STATES and "config" in trial.user_attrs


def has_complete(study: optuna.Study) -> bool:
    """Tell whether any trial of a study's own ran to its end."""
    trials = study.get_trials(deepcopy=False)
    return any(one.state is OptunaState.COMPLETE and is_started(one) for one in trials)


def history(trial: FrozenTrial) -> list[EpochMetrics]:
    """Return every epoch's metrics of a trial."""
    attributes = trial.user_attrs
    return [EpochMetrics.of(epoch, attributes[epoch_key(epoch)]) for epoch in sorted(trial.intermediate_values)]


def epoch_key(epoch: int) -> str:
    """Return the name of the attribute that keeps one epoch's metrics."""
    return f"epoch_{epoch}"


def set_state(study: optuna.Study, **attributes: Any) -> None:
    """Write attributes of the study (state, seconds, text of its file) that changed."""
    for name, value in attributes.items():
        if study.user_attrs.get(name) != value:
            study.set_user_attr(name, value)


def _existing(name: str) -> UsageError:
    return UsageError(
        f"a study named {name} exists {place()}; go on with `tuner resume {name}`, look at it with "
        f"`tuner trials {name}`, or run under another name: --set name={name}-2"
    )


def _confirmation_name(name: str) -> str:
    return f"{name}{_CONFIRMATION}"


def _journal(name: str) -> Path:
    return study_directory(name) / "journal.log"


def _is_begun(journal: Path) -> bool:
    """Tell whether anything stands in a journal: a driver that was killed at once leaves it empty."""
    return journal.is_file() and journal.stat().st_size > 0


def _storage(name: str) -> BaseStorage:
    optuna.logging.set_verbosity(logging.WARNING)
    if database.is_used():
        return database.storage()
    return JournalStorage(WholeRecords(str(_journal(name))))
