"""A study's job to its end: over outages, and on to the next one where the head has forgotten it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from tuner.cluster.client import Cluster
from tuner.cluster.jobs import Job, LostError
from tuner.errors import ServiceError

PATIENCE_SECONDS = 300.0
"""How long a cluster that was there may be away, and how long a study may be without a job after it came back."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
_BYTES_A_SECOND = 2**20  # Ray sends a job's whole output each time: of a long one less often

Told = Callable[[str], object]


def follow(cluster: Cluster, job: Job, told: Told | None, noted: Told, seconds: float | None = None) -> Job:
    """Follow a study until its job is over, or for some seconds; return its last job as it stands then.

    `told` hears the jobs' output, where anybody wants it; `noted` hears, in words, of outages and of other jobs.

    Raises:
        ServiceError: the cluster was away for too long, or no job went on with the study.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        try:
            for text in _watched(cluster, job, told is not None, noted, deadline):
                if told is not None:
                    told(text)
            return cluster.job(job.id)
        except LostError:
            noted(f"the cluster's head has forgotten job {job.id}; waiting for one that goes on with study {job.study}")
            lost, job = job, _next(cluster, job, deadline)
            if job is lost:
                return job
            noted(f"study {job.study} goes on as job {job.id}")


def finished(cluster: Cluster, job: Job, told: Told | None = None, seconds: float | None = None) -> Job:
    """Wait for this very job, also over an outage; return it as it stands when it is over, or the seconds are.

    Raises:
        LostError: the cluster has forgotten it.
        ServiceError: the cluster was away for too long.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    for text in _watched(cluster, job, told is not None, lambda _: None, deadline):
        if told is not None:
            told(text)
    return cluster.job(job.id)


def _watched(cluster: Cluster, job: Job, reads: bool, noted: Told, deadline: float | None) -> Iterator[str]:
    """Yield what a job writes until it is over or the deadline has passed; nothing unless anybody `reads` it."""
    written, pause, away = 0, _FIRST_PAUSE, _Outage(noted)
    while True:
        over, text = False, ""
        try:
            over = _same(cluster, job).is_over  # asked first, so that its last words are not missed
            text = cluster.output(job.id) if reads else ""
        except LostError:
            raise
        except ServiceError as error:
            away.goes_on(error)
        else:
            away.is_over()
        if len(text) > written:
            yield text[written:]
            written, pause = len(text), _FIRST_PAUSE
        if over or (deadline is not None and time.monotonic() > deadline):
            return
        time.sleep(max(pause, written / _BYTES_A_SECOND))
        pause = min(2 * pause, _LONGEST_PAUSE)


def _same(cluster: Cluster, job: Job) -> Job:
    """Return a job as it stands now.

    Raises:
        LostError: it is gone, or its number is another one's, of a table that began afresh.
    """
    found = cluster.job(job.id)
    if found.token != job.token:
        raise LostError(f"the cluster at {cluster.address} has forgotten job {job.id}")
    return found


def _next(cluster: Cluster, lost: Job, deadline: float | None) -> Job:
    """Return the job that goes on with a study whose job was lost; the lost one where the deadline comes first."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if deadline is not None and time.monotonic() > deadline:
            return lost
        try:
            found = cluster.jobs(lost.study)
        except ServiceError:
            found = []
        if found and found[-1].token != lost.token:
            return found[-1]
        time.sleep(_FIRST_PAUSE)
    raise LostError(
        f"the cluster at {cluster.address} has forgotten job {lost.id}, and none went on with study {lost.study}; "
        f"`tuner status {lost.study}` says how it stands, `tuner resume {lost.study}` goes on with it"
    )


class _Outage:
    """A time in which a cluster does not answer: said when it begins and when it is over, and not endured for ever."""

    def __init__(self, noted: Told) -> None:
        self._noted = noted
        self._since: float | None = None

    def goes_on(self, error: ServiceError) -> None:
        """Note that the cluster did not answer.

        Raises:
            ServiceError: it has not for too long.
        """
        if self._since is None:
            self._since = time.monotonic()
            self._noted(f"{error}; waiting, {PATIENCE_SECONDS / 60:.0f} minutes at most")
        elif time.monotonic() - self._since > PATIENCE_SECONDS:
            raise error

    def is_over(self) -> None:
        """Note that it answers."""
        if self._since is not None:
            self._noted("the cluster answers again")
        self._since = None
