"""`tuner submit` and what goes with it: studies sent to a cluster as jobs, and watched from here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tuner import spec
from tuner.cli import asking, output
from tuner.cluster import STUDY, Cluster, Job, Order, digest, packed
from tuner.cluster import address as address_of
from tuner.errors import UsageError
from tuner.home import check_name
from tuner.tracking import destination

_TIME_IS_UP = 4


class Sending(NamedTuple):
    """How a study is sent: with which folder of one's own code, how soon it is to begin, what its job is to write."""

    working_dir: Path | None = None
    priority: int | None = None
    as_json: bool = False


def submit(source: str, overrides: Sequence[str], address: str | None, how: Sending, *, no_wait: bool) -> int:
    """Send a study to a cluster, or join the job that runs it; return the job's exit code, 0 without waiting."""
    loaded = spec.load(source, overrides)
    cluster = Cluster(address_of(address))
    mark = digest(loaded.source)
    job = _running(cluster, loaded.name, mark)
    joined = job is not None
    if job is None:
        with packed(_order(("run", STUDY, "--or-resume"), how), loaded.source, how.working_dir) as folder:
            job = cluster.submit(loaded.name, folder, mark, environment=asking.environment(how.as_json))
    return _follow(cluster, job, joined=joined, no_wait=no_wait, as_json=how.as_json)


def resume(name: str, overrides: Sequence[str], address: str | None, how: Sending) -> int:
    """Go on with a study on a cluster, and return the job's exit code."""
    check_name(name)
    cluster = Cluster(address_of(address))
    job = _running(cluster, name, None)
    joined = job is not None
    if job is None:
        job = send_resume(cluster, name, overrides, how)
    return _follow(cluster, job, joined=joined, no_wait=False, as_json=how.as_json)


def send_resume(cluster: Cluster, name: str, overrides: Sequence[str], how: Sending) -> Job:
    """Send a job that goes on with a study."""
    changes = [argument for override in overrides for argument in ("--set", override)]
    with packed(_order(("resume", name, *changes), how), None, how.working_dir) as folder:
        return cluster.submit(name, folder, "", environment=asking.environment(how.as_json))


def logs(name: str, address: str | None, follow: bool) -> None:
    """Print what a study's latest job has written."""
    cluster = Cluster(address_of(address))
    for text in cluster.output(cluster.current(name).id, follow=follow):
        sys.stdout.write(text)
        sys.stdout.flush()


def wait(name: str, address: str | None, seconds: float | None, as_json: bool) -> int:
    """Wait for a study's latest job, and return its exit code."""
    cluster = Cluster(address_of(address))
    job = cluster.wait(cluster.current(name).id, seconds)
    asking.tell(job, as_json)
    return asking.exit_code(job) if job.is_over else _TIME_IS_UP


def _running(cluster: Cluster, name: str, mark: str | None) -> Job | None:
    """Return the job that runs a study already.

    Raises:
        UsageError: it runs another file.
    """
    job = next((one for one in cluster.jobs(name) if not one.is_over), None)
    if job is not None and mark is not None and job.digest not in {"", mark}:
        raise UsageError(
            f"study {name} runs on {cluster.address} with another file (job {job.id}); stop it first, or give this one "
            "another name: --set name=..."
        )
    return job


def _follow(cluster: Cluster, job: Job, *, joined: bool, no_wait: bool, as_json: bool) -> int:
    what = "joined" if joined else "submitted"
    here = f"--address {cluster.address}"
    where = f"; MLflow: {destination().shown}" if destination().is_server else ""
    sys.stderr.write(f"study {job.study}: {what} as job {job.id}{where}\n")
    if no_wait:
        more = [
            f"tuner logs -f {job.study} {here}",
            f"tuner status {job.study} {here}",
            f"tuner stop {job.study} {here}",
        ]
        if output.wants_json(as_json):
            output.print_json({**job.as_json(), "address": cluster.address, "joined": joined, "next": more})
        else:
            output.print_tables(*more)
        return 0
    wants_json = output.wants_json(as_json)
    parts: list[str] = []

    def told(text: str) -> None:
        parts.append(text)
        stream = sys.stderr if wants_json else sys.stdout
        stream.write(text)
        stream.flush()

    try:
        job = cluster.wait(job.id, told=told)
    except KeyboardInterrupt:
        sys.stderr.write(f"\nthe job goes on; to follow it: tuner logs -f {job.study} {here}; to stop it: tuner stop\n")
        raise
    if wants_json:
        output.print_json(asking.document("".join(parts)) or job.as_json())
    return asking.exit_code(job)


def _order(arguments: Sequence[str], how: Sending) -> Order:
    priority = [] if how.priority is None else [f"--priority={how.priority}"]
    return Order((*arguments, *priority, *asking.json_flag(how.as_json)))
