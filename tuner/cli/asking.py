"""What a cluster is asked, and answers by a job of seconds; how studies are stopped and removed there.

Its storage knows every study, also those that Ray's table of jobs has lost.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Sequence
from typing import Any

from tuner import spec
from tuner.cli import output
from tuner.cluster import STUDY, Cluster, Job, Order, finished, is_meant, packed
from tuner.cluster import address as address_of
from tuner.errors import ServiceError, UsageError
from tuner.home import check_name
from tuner.search import lease, storage, supervision

_STOP_SECONDS = 120.0


def stop(name: str, address: str | None, by: str, as_json: bool) -> None:
    """Ask a study's driver to end; on a cluster wait until it has. With `by`, only note there who asks for it."""
    check_name(name)
    if not is_meant(address):
        _stop_here(name, by, as_json)
        return
    cluster = Cluster(address_of(address))
    found = cluster.jobs(name)
    if not found:  # its job went with the head, and the supervisor would go on with it
        _leave_there(cluster, name, as_json)
        return
    job = found[-1]
    if not job.is_over:
        _note_stop(cluster, name)  # first, so that nobody goes on with it; it stops also without
        cluster.stop(job.id)
        job = finished(cluster, job, seconds=_STOP_SECONDS)
    elif job.state == "failed":
        _note_stop(cluster, name)  # the supervisor tries a failed job again
    if not job.is_over:
        raise ServiceError(f"job {job.id} has been asked to stop, and still runs after {_STOP_SECONDS:.0f} seconds")
    tell(job, as_json)


def _leave_there(cluster: Cluster, name: str, as_json: bool) -> None:
    """Let nobody go on with a study that has no job.

    Raises:
        UsageError: the cluster has no such study.
        ServiceError: it could not be noted.
    """
    found = _note_stop(cluster, name)
    if found is None:
        raise ServiceError(f"study {name} has no job on {cluster.address}, and that it is to stop could not be noted")
    if not found.get("stored"):
        raise UsageError(
            f"the cluster at {cluster.address} has no study {name}; see `tuner ls --address {cluster.address}`"
        )
    if output.wants_json(as_json):
        output.print_json(found)
    else:
        output.print_tables(
            f"study {name} has no job; nobody goes on with it by himself; to go on: tuner resume {name}"
        )


def _note_stop(cluster: Cluster, name: str) -> dict[str, Any] | None:
    """Note on the cluster that a study is to stop; return its answer, none where it could not, which is said."""
    job, text = _answer(cluster, ("stop", name, "--by", _whoever()), wants_json=True)
    found: dict[str, Any] | None = document(text)
    if job.state == "succeeded" and found is not None:
        return found
    words = text.strip() or job.message
    sys.stderr.write(f"warning: that study {name} is to stop could not be noted, so it may be gone on with: {words}\n")
    return None


def remove(name: str, address: str | None, *, yes: bool, by: str, as_json: bool) -> int:
    """Remove what is stored of a study, and return the exit code."""
    check_name(name)
    if not yes:
        raise UsageError(f"rm removes every trial and checkpoint of study {name} for good: tuner rm {name} --yes")
    if not is_meant(address):
        return _remove_here(name, by, as_json)
    cluster = Cluster(address_of(address))
    jobs = cluster.jobs(name)
    if any(not job.is_over for job in jobs):
        raise UsageError(f"study {name} is running; first: tuner stop {name} --address {cluster.address}")
    code = ask(["rm", name, "--yes", "--by", _whoever()], address, as_json)
    if code == 0:
        for job in jobs[:-1]:  # the last one keeps the number: Ray would add the next job's output to that of its first
            cluster.forget(job.id)
    return code


def plan(source: str, overrides: Sequence[str], address: str | None, as_json: bool) -> int:
    """Let the cluster say what a study will cost there; its file travels along."""
    return ask(["plan", STUDY], address, as_json, study_file=spec.load(source, overrides).source)


def ask(arguments: Sequence[str], address: str | None, as_json: bool, *, study_file: str | None = None) -> int:
    """Let the cluster answer a command of its own studies, print the answer, and return its exit code."""
    code, found, text = answer(arguments, address, as_json=output.wants_json(as_json), study_file=study_file)
    if found is not None:
        output.print_json(found)
    else:
        (sys.stdout if code == 0 else sys.stderr).write(text)
    return code


def answer(
    arguments: Sequence[str], address: str | None, *, as_json: bool, study_file: str | None = None
) -> tuple[int, Any, str]:
    """Let the cluster carry out a command; return its exit code, its JSON document if it printed one, and all of it."""
    cluster = Cluster(address_of(address))
    sys.stderr.write(f"asking the cluster at {cluster.address} ...\n")
    job, text = _answer(cluster, arguments, as_json, study_file)
    return exit_code(job), document(text) if as_json else None, text or f"{job.message}\n"


def tell(job: Job, as_json: bool) -> None:
    """Print how a job stands."""
    if output.wants_json(as_json):
        output.print_json(job.as_json())
    else:
        output.print_tables(f"study {job.study}: job {job.id} {job.state}")


def exit_code(job: Job) -> int:
    """Return what the job's own command exited with; a stopped one counts as interrupted."""
    if job.state == "succeeded":
        return 0
    return 130 if job.state == "stopped" else job.exit_code or 1


def json_flag(wanted: bool) -> tuple[str, ...]:
    """Return the argument by which a command on the cluster prints JSON, where that is wanted."""
    return ("--json",) if wanted else ()


def environment(as_json: bool) -> dict[str, str]:
    """Return what the job's output depends on."""
    if output.wants_json(as_json):
        return {output.OUTPUT_VARIABLE: output.MARKED}
    return {output.OUTPUT_VARIABLE: output.PEOPLE, "COLUMNS": str(shutil.get_terminal_size().columns)}


def document(text: str) -> Any:
    """Return the last JSON document that a job has marked as its own in its output; None where there is none."""
    mark = re.escape(output.MARK)
    found = re.findall(rf"^{mark}$(.*?)^{mark}$", text, flags=re.MULTILINE | re.DOTALL)
    return json.loads(found[-1]) if found else None


def _answer(
    cluster: Cluster, arguments: Sequence[str], wants_json: bool, study_file: str | None = None
) -> tuple[Job, str]:
    """Let a job of seconds carry out a command on the cluster; return it as it ended, and what it wrote."""
    with packed(Order((*arguments, *json_flag(wants_json))), study_file) as folder:
        job = cluster.submit(arguments[0], folder, "", kind="question", environment=environment(wants_json))
    parts: list[str] = []
    job = finished(cluster, job, parts.append)
    cluster.forget(job.id)
    return job, "".join(parts)


def _stop_here(name: str, by: str, as_json: bool) -> None:
    if by:
        supervision.note("stop", name, by)
    else:
        lease.stop_driver(name)
    if stored := storage.exists(name):
        supervision.leave(name)
    if output.wants_json(as_json):
        output.print_json({"study": name, "asked_to_stop": True, "stored": stored})
    else:
        output.print_tables(f"study {name} is asked to stop; to go on: tuner resume {name}")


def _remove_here(name: str, by: str, as_json: bool) -> int:
    if not storage.exists(name):
        raise UsageError(f"no study named {name} {storage.place()}; see `tuner ls`")
    if lease.is_driven(name):
        raise UsageError(f"study {name} is running; first: tuner stop {name}")
    if by:
        supervision.note("rm", name, by)
    storage.delete(name)
    if output.wants_json(as_json):
        output.print_json({"study": name, "removed": True})
    else:
        output.print_tables(f"study {name} is removed; its MLflow runs stay")
    return 0


def _whoever() -> str:
    """Return who uses this machine, by its own word: the cluster knows no users."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a number without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
