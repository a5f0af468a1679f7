"""`tuner submit` and what goes with it: studies on a cluster, watched and stopped from here.

Questions (`ls`, `status`, ...) are answered on the cluster by a job of seconds: its storage knows every study, also
those that Ray's job table has lost.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuner import spec
from tuner.cli import output
from tuner.cluster import STUDY, Cluster, Job, Order, digest, is_meant, packed
from tuner.cluster import address as address_of
from tuner.errors import ServiceError, UsageError
from tuner.home import check_name
from tuner.search import lease, storage
from tuner.tracking import destination

_STOP_SECONDS = 120.0
_TIME_IS_UP = 4


def submit(
    source: str,
    overrides: Sequence[str],
    address: str | None,
    *,
    working_dir: Path | None,
    no_wait: bool,
    as_json: bool,
) -> int:
    """Send a study to a cluster, or join the job that runs it; return the job's exit code, 0 without waiting."""
    loaded = spec.load(source, overrides)
    cluster = Cluster(address_of(address))
    mark = digest(loaded.source)
    job = _running(cluster, loaded.name, mark)
    joined = job is not None
    if job is None:
        order = Order(("run", STUDY, "--or-resume", *_json(as_json)))
        with packed(order, loaded.source, working_dir) as folder:
            job = cluster.submit(loaded.name, folder, mark, environment=_environment(as_json))
    return _follow(cluster, job, joined=joined, no_wait=no_wait, as_json=as_json)


def resume(name: str, overrides: Sequence[str], address: str | None, as_json: bool) -> int:
    """Go on with a study on a cluster, and return the job's exit code."""
    check_name(name)
    cluster = Cluster(address_of(address))
    job = _running(cluster, name, None)
    joined = job is not None
    if job is None:
        changes = [argument for override in overrides for argument in ("--set", override)]
        with packed(Order(("resume", name, *changes, *_json(as_json)))) as folder:
            job = cluster.submit(name, folder, "", environment=_environment(as_json))
    return _follow(cluster, job, joined=joined, no_wait=False, as_json=as_json)


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
    _tell(job, as_json)
    return _exit_code(job) if job.is_over else _TIME_IS_UP


def stop(name: str, address: str | None, as_json: bool) -> None:
    """Ask a study's driver to end; on a cluster wait until it has."""
    if not is_meant(address):
        lease.stop_driver(name)
        if output.wants_json(as_json):
            output.print_json({"study": name, "asked_to_stop": True})
        else:
            output.print_tables(f"study {name} is asked to stop; to go on: tuner resume {name}")
        return
    cluster = Cluster(address_of(address))
    job = cluster.current(name)
    if not job.is_over:
        cluster.stop(job.id)
        job = cluster.wait(job.id, _STOP_SECONDS)
    if not job.is_over:
        raise ServiceError(f"job {job.id} has been asked to stop, and still runs after {_STOP_SECONDS:.0f} seconds")
    _tell(job, as_json)


def remove(name: str, yes: bool, address: str | None, as_json: bool) -> int:
    """Remove what is stored of a study, and return the exit code."""
    check_name(name)
    if not yes:
        raise UsageError(f"rm removes every trial and checkpoint of study {name} for good: tuner rm {name} --yes")
    if not is_meant(address):
        return _remove_here(name, as_json)
    cluster = Cluster(address_of(address))
    jobs = cluster.jobs(name)
    if any(not job.is_over for job in jobs):
        raise UsageError(f"study {name} is running; first: tuner stop {name} --address {cluster.address}")
    code = ask(["rm", name, "--yes"], address, as_json)
    if code == 0:
        for job in jobs:
            cluster.forget(job.id)
    return code


def plan(source: str, overrides: Sequence[str], address: str | None, as_json: bool) -> int:
    """Let the cluster say what a study will cost there; its file travels along."""
    loaded = spec.load(source, overrides)
    return ask(["plan", STUDY], address, as_json, study_file=loaded.source)


def ask(arguments: Sequence[str], address: str | None, as_json: bool, *, study_file: str | None = None) -> int:
    """Let the cluster answer a command of its own studies, print the answer, and return its exit code."""
    wants_json = output.wants_json(as_json)
    code, document, text = answer(arguments, address, as_json=wants_json, study_file=study_file)
    if document is not None:
        output.print_json(document)
    else:
        (sys.stdout if code == 0 else sys.stderr).write(text)
    return code


def answer(
    arguments: Sequence[str], address: str | None, *, as_json: bool, study_file: str | None = None
) -> tuple[int, Any, str]:
    """Let the cluster carry out a command; return its exit code, its JSON document if it printed one, and all of it."""
    cluster = Cluster(address_of(address))
    sys.stderr.write(f"asking the cluster at {cluster.address} ...\n")
    with packed(Order((*arguments, *_json(as_json))), study_file) as folder:
        job = cluster.submit(arguments[0], folder, "", kind="question", environment=_environment(as_json))
    parts: list[str] = []
    job = cluster.wait(job.id, told=parts.append)
    cluster.forget(job.id)
    text = "".join(parts) or f"{job.message}\n"
    return _exit_code(job), _document(text) if as_json else None, text


def _remove_here(name: str, as_json: bool) -> int:
    if not storage.exists(name):
        raise UsageError(f"no study named {name} {storage.place()}; see `tuner ls`")
    if lease.is_driven(name):
        raise UsageError(f"study {name} is running; first: tuner stop {name}")
    storage.delete(name)
    if output.wants_json(as_json):
        output.print_json({"study": name, "removed": True})
    else:
        output.print_tables(f"study {name} is removed; its MLflow runs stay")
    return 0


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
        output.print_json(_document("".join(parts)) or job.as_json())
    return _exit_code(job)


def _tell(job: Job, as_json: bool) -> None:
    if output.wants_json(as_json):
        output.print_json(job.as_json())
    else:
        output.print_tables(f"study {job.study}: job {job.id} {job.state}")


def _exit_code(job: Job) -> int:
    """Return what the job's own command exited with; a stopped one counts as interrupted."""
    if job.state == "succeeded":
        return 0
    return 130 if job.state == "stopped" else job.exit_code or 1


def _json(wanted: bool) -> tuple[str, ...]:
    return ("--json",) if wanted else ()


def _environment(as_json: bool) -> dict[str, str]:
    """Return what the job's output depends on."""
    if output.wants_json(as_json):
        return {}
    return {output.OUTPUT_VARIABLE: "people", "COLUMNS": str(shutil.get_terminal_size().columns)}


def _document(text: str) -> Any:
    """Return the JSON document that stands in a job's output, on lines of its own; None where there is none."""
    decoder, lines = json.JSONDecoder(), text.splitlines(keepends=True)
    start = 0
    for line in lines:
        if line.startswith(("{", "[")):
            try:
                return decoder.raw_decode(text, start)[0]
            except ValueError:
                pass
        start += len(line)
    return None
