"""Which studies are to go on when their driver is gone: what a cluster's supervisor reads and writes down.

A study that a cluster's job drives has a place in the queue from its beginning until it ends or is stopped on purpose.
One that has its place and no driver was cut off: the head died, or was shut down.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import Any, NamedTuple

import optuna

from tuner.errors import ServiceError
from tuner.home import home, kept_code
from tuner.results import StudyState
from tuner.search import lease, storage, stored

_QUEUE, _ATTEMPTS = "queue", "attempts"

_JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""What Ray sets for the jobs that are submitted to it."""


CODE_VARIABLE = "TUNER_JOB_CODE"
"""The folder in which a job's own code has arrived, where it brought some."""


class Queued(NamedTuple):
    """A study's place in the queue: since when, in seconds since 1970."""

    priority: int
    since: float


class CutOff(NamedTuple):
    """A study that lost its driver; `job` is the one that the supervisor sent last, after so many `failures`.

    `has_progressed` says that an epoch was stored since it was sent, `died_at_work` that the last driver had no time to
    leave and did not wait for its turn.
    """

    name: str
    since: float
    priority: int
    job: str
    failures: int
    has_progressed: bool = False
    died_at_work: bool = False


class _Attempt(NamedTuple):
    """The supervisor's last job for a study, as it is stored: sent `at`, when `progress` epochs were stored."""

    job: str = ""
    failures: int = 0
    progress: int = 0
    at: float = 0.0
    given_up: str | None = None


def queued(study: optuna.Study, priority: int | None) -> Queued:
    """Return a study's place in the queue, and store it; one that was cut off keeps its age, and its priority."""
    kept = study.user_attrs.get(_QUEUE, {})
    own = int(kept.get("priority", 0)) if priority is None else priority
    place = Queued(own, float(kept.get("since", time.time())))
    storage.set_state(study, queue={"priority": place.priority, "since": place.since, "job": _is_job()})
    return place


def is_queued(study: optuna.Study) -> bool:
    """Tell whether a study has a place: it is to go on, or was cut off."""
    return "since" in study.user_attrs.get(_QUEUE, {})


def settle(study: optuna.Study) -> None:
    """Take a study's place away when it has ended; one whose job was told to end keeps it, unless on purpose."""
    if not _is_job() or stored.standing(study) not in {StudyState.INTERRUPTED, StudyState.RUNNING}:
        _take_away(study)


def goes_on_after(error: BaseException) -> bool:
    """Tell whether a study is to go on by itself after an error: its job was told to end, or lacked a service."""
    return _is_job() and isinstance(error, KeyboardInterrupt | ServiceError)


def leave(name: str) -> None:
    """Note that a study was stopped on purpose: nobody is to go on with it by himself."""
    _take_away(storage.load(name))


def cut_off() -> list[CutOff]:
    """Return the studies that are to go on and have no driver, the first to begin first."""
    found = []
    for name in storage.names():
        attributes = storage.attributes(name)
        place = attributes.get(_QUEUE, {})
        if place.get("job") and "since" in place and not lease.is_driven(name):
            attempt = _Attempt(**attributes.get(_ATTEMPTS, {}))
            since, priority = float(place["since"]), int(place["priority"])
            further, died = _progress(name) > attempt.progress, lease.died_at_work(name)
            found.append(CutOff(name, since, priority, attempt.job, attempt.failures, further, died))
    return sorted(found, key=lambda one: (-one.priority, one.since, one.name))


def attempted(name: str, job: str, failures: int) -> None:
    """Note which job goes on with a study from where it stands, after so many that failed quickly."""
    attempt = _Attempt(job, failures, _progress(name), time.time())
    storage.set_state(storage.load(name), attempts=attempt._asdict())


def tried(seconds: float) -> set[str]:
    """Return the studies for which a job was sent after failures, no longer ago, and that have not progressed since."""
    found = set()
    for name in storage.names():
        attempt = _Attempt(**storage.attributes(name).get(_ATTEMPTS, {}))
        if attempt.failures and time.time() - attempt.at < seconds and _progress(name) <= attempt.progress:
            found.add(name)
    return found


def give_up(name: str, why: str) -> None:
    """Note that going on with a study was given up."""
    study = storage.load(name)
    _take_away(study)
    storage.set_state(study, attempts={"given_up": why})


def notes(name: str) -> list[str]:
    """Return sentences for people: why going on with a study was given up, if nobody has gone on with it since."""
    study = storage.load(name)
    why = study.user_attrs.get(_ATTEMPTS, {}).get("given_up")
    if why is None or is_queued(study):
        return []
    return [f"the supervisor has given up: {why}; when that is mended: tuner resume {name}"]


def keep_code(name: str) -> None:
    """Keep the user's own code that travelled with this job beside the study, for the job that may have to go on."""
    came = os.environ.get(CODE_VARIABLE)
    if not came:
        return
    kept = kept_code(name)
    partial = kept.with_name(f"{kept.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(came, partial, symlinks=True)
    shutil.rmtree(kept, ignore_errors=True)
    partial.replace(kept)


def note(act: str, name: str, by: str) -> None:
    """Write into TUNER_HOME/audit.log who did what to a study, by his own word, and when.

    Raises:
        ServiceError: it cannot be written.
    """
    line: dict[str, Any] = {"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "act": act, "study": name, "by": by}
    try:
        home().mkdir(parents=True, exist_ok=True)
        with (home() / "audit.log").open("a", encoding="utf-8") as log:
            log.write(f"{json.dumps(line)}\n")
    except OSError as error:
        raise ServiceError(f"{home() / 'audit.log'} cannot be written: {error}") from error


def _take_away(study: optuna.Study) -> None:
    kept = study.user_attrs.get(_QUEUE)
    if kept is not None:
        storage.set_state(study, queue={"priority": kept["priority"]}, attempts={})


def _progress(name: str) -> int:
    """Return how many epochs are stored of a study, with those of its fresh seeds."""
    study = storage.load(name)
    parts = [one for one in (study, storage.confirmation_if_begun(study)) if one is not None]
    return sum(len(trial.intermediate_values) for one in parts for trial in one.get_trials(deepcopy=False))


def _is_job() -> bool:
    return _JOB_VARIABLE in os.environ
