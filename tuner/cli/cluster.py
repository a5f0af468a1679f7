"""`tuner submit` and what goes with it: studies sent to a cluster as jobs, and watched from here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tuner import spec
from tuner.cli import asking, output
from tuner.cluster import STUDY, Cluster, Job, Order, TakenError, digest, packed
from tuner.cluster import address as address_of
from tuner.cluster import follow as followed
from tuner.errors import UsageError
from tuner.home import check_name
from tuner.tracking import destination

_TIME_IS_UP = 4
_NO_LINK = "set MLFLOW_TRACKING_URI here to the cluster's server as you reach it, and it is shown"


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

    def send() -> Job:
        with packed(_order(("run", STUDY, "--or-resume"), how), loaded.source, how.working_dir) as folder:
            return _send(cluster, loaded.name, folder, mark, how)

    job, joined = _joined_or_sent(cluster, loaded.name, mark, how, send)
    return _follow(cluster, job, joined=joined, no_wait=no_wait, as_json=how.as_json)


def resume(name: str, overrides: Sequence[str], address: str | None, how: Sending) -> int:
    """Go on with a study on a cluster, and return the job's exit code."""
    check_name(name)
    cluster = Cluster(address_of(address))

    def send() -> Job:
        return send_resume(cluster, name, overrides, how, _known_digest(cluster, name, overrides))

    job, joined = _joined_or_sent(cluster, name, None, how, send)
    return _follow(cluster, job, joined=joined, no_wait=False, as_json=how.as_json)


def send_resume(cluster: Cluster, name: str, overrides: Sequence[str], how: Sending, mark: str) -> Job:
    """Send a job that goes on with a study; `mark` is the digest of its file, empty where that is not known."""
    changes = [argument for override in overrides for argument in ("--set", override)]
    with packed(_order(("resume", name, *changes), how), None, how.working_dir) as folder:
        return _send(cluster, name, folder, mark, how)


def logs(name: str, address: str | None, follow: bool) -> None:
    """Print what a study's latest job has written; with `follow` also what it and the next ones write to the end."""
    cluster = Cluster(address_of(address))
    job = cluster.current(name)
    if follow:
        followed(cluster, job, _show, _note)
    else:
        _show(cluster.output(job.id))


def wait(name: str, address: str | None, seconds: float | None, as_json: bool) -> int:
    """Wait for a study's latest job, and return its exit code."""
    cluster = Cluster(address_of(address))
    job = followed(cluster, cluster.current(name), None, _note, seconds)
    asking.tell(job, as_json)
    return asking.exit_code(job) if job.is_over else _TIME_IS_UP


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _note(words: str) -> None:
    sys.stderr.write(f"{words}\n")


def _joined_or_sent(
    cluster: Cluster, name: str, mark: str | None, how: Sending, send: Callable[[], Job]
) -> tuple[Job, bool]:
    """Return the job that runs a study already, or else the one that was sent; and whether it is joined.

    Raises:
        UsageError: it runs another file.
    """
    running = next((one for one in cluster.jobs(name) if not one.is_over), None)
    if running is None:
        try:
            return send(), False
        except TakenError:
            running = cluster.current(name)  # of two at once one is sent, and the other joins it
    if mark is not None and running.digest not in {"", mark}:
        raise UsageError(
            f"study {name} runs on {cluster.address} with another file (job {running.id}); stop it first, or give this "
            "one another name: --set name=..."
        )
    _say_what_is_dropped(running, mark, how)
    return running, True


def _send(cluster: Cluster, name: str, folder: Path, mark: str, how: Sending) -> Job:
    return cluster.submit(name, folder, mark, priority=how.priority, environment=asking.environment(how.as_json))


def _known_digest(cluster: Cluster, name: str, overrides: Sequence[str]) -> str:
    """Return the digest of the file that a study's next job runs, as far as its jobs tell."""
    last = next(reversed(cluster.jobs(name)), None)
    return "" if last is None or overrides else last.digest


def _say_what_is_dropped(job: Job, mark: str | None, how: Sending) -> None:
    """Say what was asked for and is not so in a job that was joined."""
    notes = []
    if mark is not None and not job.digest:
        notes.append(
            f"it was sent by `tuner resume`, whether with this very file is not known; see `tuner status {job.study}`"
        )
    if how.priority is not None and str(how.priority) != job.priority:
        notes.append(
            f"it keeps its priority ({job.priority or 'none was given'}); --priority {how.priority} changes nothing"
        )
    if how.working_dir is not None:
        notes.append(f"it keeps the code that it began with; --working-dir {how.working_dir} was not sent")
    sys.stderr.writelines(f"warning: job {job.id} runs already: {note}\n" for note in notes)


def _follow(cluster: Cluster, job: Job, *, joined: bool, no_wait: bool, as_json: bool) -> int:
    what = "joined" if joined else "submitted"
    here = f"--address {cluster.address}"
    link = destination().page
    where = "" if link is None else f"; MLflow: {link}"
    sys.stderr.write(f"study {job.study}: {what} as job {job.id}{where}\n")
    if no_wait:
        more = [
            f"tuner logs -f {job.study} {here}",
            f"tuner status {job.study} {here}",
            f"tuner stop {job.study} {here}",
        ]
        if output.wants_json(as_json):
            beside = {"address": cluster.address, "mlflow": link, "joined": joined, "next": more}
            output.print_json(job.as_json() | beside)
        else:
            output.print_tables(f"MLflow: {link or _NO_LINK}", *more)
        return 0
    wants_json = output.wants_json(as_json)
    parts: list[str] = []

    def told(text: str) -> None:
        parts.append(text)
        stream = sys.stderr if wants_json else sys.stdout
        stream.write(text)
        stream.flush()

    try:
        job = followed(cluster, job, told, _note)
    except KeyboardInterrupt:
        sys.stderr.write(f"\nthe job goes on; to follow it: tuner logs -f {job.study} {here}; to stop it: tuner stop\n")
        raise
    if wants_json:
        output.print_json(asking.document("".join(parts)) or job.as_json())
    return asking.exit_code(job)


def _order(arguments: Sequence[str], how: Sending) -> Order:
    priority = [] if how.priority is None else [f"--priority={how.priority}"]
    return Order((*arguments, *priority, *asking.json_flag(how.as_json)))
