"""A study's job on a cluster: what is told of it, and what travels with it as its metadata."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any

from tuner.errors import ServiceError

STUDY_KEY, DIGEST_KEY, KIND_KEY, PRIORITY_KEY = "tuner.study", "tuner.digest", "tuner.kind", "tuner.priority"
TOKEN_KEY = "tuner.token"
"""Metadata of the jobs that are ours; `kind` is `study` or `question`."""

_OURS_ALONE = {"digest", "priority", "token"}

_STATES = {
    "PENDING": "waiting",
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "STOPPED": "stopped",
}
ENDED = frozenset({"succeeded", "failed", "stopped"})


class LostError(ServiceError):
    """A job that the cluster does not know any more: its table went with the head, or it was removed."""


class TakenError(ServiceError):
    """A study's next job has been sent by somebody else in the same moment."""


@dataclass(frozen=True)
class Job:
    """One job of a study: `state` is waiting, running, succeeded, failed or stopped; times are seconds since 1970.

    `digest` is that of the study's file, empty where its sender did not know it; `priority` is what was asked for.
    `token` tells it from one of the same number, after a head that lost its table began to count afresh.
    """

    id: str
    study: str
    state: str
    digest: str
    exit_code: int | None
    message: str
    started: float | None
    ended: float | None
    priority: str = ""
    token: str = ""

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended."""
        return self.state in ENDED

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {key: value for key, value in vars(self).items() if key not in _OURS_ALONE}


def metadata(name: str, digest: str, kind: str, priority: int | None) -> dict[str, str]:
    """Return what a new job takes along."""
    asked = "" if priority is None else str(priority)
    return {
        STUDY_KEY: name,
        DIGEST_KEY: digest,
        KIND_KEY: kind,
        PRIORITY_KEY: asked,
        TOKEN_KEY: secrets.token_hex(8),
    }


def read(found: Any) -> Job:
    """Return one of ours from what Ray tells of it."""
    metadata = found.metadata or {}
    return Job(
        found.submission_id,
        metadata.get(STUDY_KEY, ""),
        _STATES[str(found.status.value)],
        metadata.get(DIGEST_KEY, ""),
        found.driver_exit_code,
        found.message or "",
        found.start_time / 1000 if found.start_time else None,
        found.end_time / 1000 if found.end_time else None,
        metadata.get(PRIORITY_KEY, ""),
        metadata.get(TOKEN_KEY, ""),
    )


def number(job: Job) -> int:
    """Return how many jobs of its study came until this one, by its id."""
    found = re.match(r"-(\d+)", job.id.removeprefix(f"tuner-study-{job.study}"))
    return int(found[1]) if found else 0


def digest(text: str) -> str:
    """Return what tells one study file from another."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
