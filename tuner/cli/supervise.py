"""`tuner supervise`: a cluster's own service that goes on with the studies whose driver died with the head.

It keeps nothing itself: which studies are to go on stands in their storage, what runs in Ray's table of jobs. So it may
die and begin again at any time, and what is out of reach it asks again.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tuner.cli import cluster as jobs
from tuner.cluster import Cluster, Job, digest
from tuner.cluster import address as address_of
from tuner.errors import TunerError
from tuner.search import stored, supervision
from tuner.search.supervision import CutOff

LOOK_SECONDS = 10.0

QUICK_SECONDS = 300.0
"""A job that failed within this time failed quickly: what ended it will end the next one, too."""

MOST_FAILURES = 3

ALIVE_VARIABLE = "TUNER_ALIVE"
"""Names a file that is touched at every look, by which a health check sees that the supervisor goes on."""


def supervise(address: str | None, *, once: bool) -> None:
    """Look again and again for studies that lost their driver, and send a job that goes on with each."""
    at, said = address_of(address), ""
    while True:
        try:
            look(Cluster(at))
            words = ""
        except TunerError as error:
            words = f"waiting: {error}"
        if words != said:
            _say(words or "going on")
            said = words
        if (alive := os.environ.get(ALIVE_VARIABLE)) is not None:
            Path(alive).touch()
        if once:
            return
        time.sleep(LOOK_SECONDS)


def look(cluster: Cluster) -> None:
    """Send a job for each study that was cut off and has none; those that may have killed the head one at a time.

    Raises:
        ServiceError: the cluster or the storage is out of reach.
    """
    cut_off = {lost: next(reversed(cluster.jobs(lost.name)), None) for lost in supervision.cut_off()}
    idle = {lost: job for lost, job in cut_off.items() if job is None or job.is_over}
    is_any_tried = bool(supervision.tried(QUICK_SECONDS) - {lost.name for lost in idle})
    for lost, job in idle.items():
        failed = failures(lost, job)
        is_suspect = job is None and failed > 0
        if not (is_suspect and is_any_tried):
            is_any_tried |= _go_on(cluster, lost, job, failed) and is_suspect


def failures(lost: CutOff, job: Job | None) -> int:
    """Return how many of the supervisor's own jobs for a study got nowhere in a row, `job` being its latest.

    One that the cluster has forgotten got nowhere where its driver was cut off at work before it stored an epoch: it
    may be what killed the head. A driver that waited, or that was told to end, is no sign of either.
    """
    if job is None and lost.job:
        return 0 if lost.has_progressed else lost.failures + lost.died_at_work
    if job is None or job.id != lost.job or job.state != "failed":
        return 0
    return lost.failures + 1 if (job.ended or 0.0) - (job.started or 0.0) < QUICK_SECONDS else 0


def _go_on(cluster: Cluster, lost: CutOff, job: Job | None, failed: int) -> bool:
    """Send a job that goes on with a study, unless it was stopped or failed too often; tell whether one was sent."""
    if job is not None and job.state == "stopped":
        supervision.leave(lost.name)
        _say(f"study {lost.name}: was stopped on purpose; left alone")
        return False
    if failed >= MOST_FAILURES:
        why = _why(lost, job, failed)
        supervision.give_up(lost.name, why)
        _say(f"study {lost.name}: given up: {why}")
        return False
    source = stored.source(lost.name)
    sent = jobs.send_resume(cluster, lost.name, (), jobs.Sending(), "" if source is None else digest(source))
    supervision.attempted(lost.name, sent.id, failed)
    _say(f"study {lost.name}: its driver is gone; job {sent.id} goes on with it")
    return True


def _why(lost: CutOff, job: Job | None, failed: int) -> str:
    if job is None:
        return (
            f"{failed} jobs in a row ended with the cluster's head before an epoch was stored, the last is {lost.job}"
        )
    words = " ".join(job.message.split())[-300:] or f"exit code {job.exit_code}"
    return f"{failed} jobs in a row failed within {QUICK_SECONDS:g} seconds, the last is {job.id}: {words}"


def _say(words: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {words}\n")
    sys.stderr.flush()
