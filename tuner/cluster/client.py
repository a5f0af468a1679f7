"""A cluster's Jobs API, in the tuner's terms: jobs of studies, their output, their end."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tuner.cluster import jobs
from tuner.cluster.jobs import Job, LostError, TakenError
from tuner.errors import ServiceError, UsageError

ENTRYPOINT = "python -m tuner.cluster.job"

_STOP_SECONDS = 90
"""What a driver has to end in after it was asked to, before it is killed."""

_TALKATIVE = ("ray", "ray.dashboard.modules.dashboard_sdk", "ray._private.runtime_env.packaging")
_NOT_READY = "No available agent"  # a head that has just started
_READY_SECONDS, _PAUSE_SECONDS = 60.0, 5.0
_TAKEN, _UNKNOWN = "already exists", "status code 404"


class Cluster:
    """Ray's Jobs API at an address; raises ServiceError where it is out of reach or refuses.

    The token of a cluster that wants one is Ray's: RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH, with RAY_AUTH_MODE=token.
    """

    def __init__(self, at: str) -> None:
        self.address = at
        _prepare()
        from ray.job_submission import JobSubmissionClient  # seconds to import

        for name in _TALKATIVE:  # after Ray has set them up
            logging.getLogger(name).setLevel(logging.ERROR)
        with self._told():
            self._client = JobSubmissionClient(at)
        self._refuse_other_ray()

    def submit(
        self,
        name: str,
        folder: Path,
        digest: str,
        *,
        kind: str = "study",
        priority: int | None = None,
        environment: Mapping[str, str],
    ) -> Job:
        """Send a parcel as a study's next job.

        Raises:
            TakenError: somebody else has sent it just now.
            ServiceError: the cluster does not take it.
        """
        variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(_STOP_SECONDS), "PYTHONUNBUFFERED": "1", **environment}
        deadline, identifier = time.monotonic() + _READY_SECONDS, self._next_id(name, kind)
        while True:
            try:
                with self._told():
                    self._client.submit_job(
                        entrypoint=ENTRYPOINT,
                        submission_id=identifier,
                        runtime_env={"working_dir": str(folder), "env_vars": variables},
                        metadata=jobs.metadata(name, digest, kind, priority),
                    )
            except ServiceError as error:
                if _TAKEN in str(error):
                    raise TakenError(
                        f"study {name} has been sent to {self.address} as job {identifier} just now"
                    ) from error
                if _NOT_READY not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return self.job(identifier)

    def jobs(self, name: str | None = None, kind: str = "study") -> list[Job]:
        """Return the jobs of a study, or of all, the oldest first."""
        with self._told():
            found = [one for one in self._client.list_jobs() if one.submission_id and one.metadata]
        ours = [jobs.read(one) for one in found if one.metadata.get(jobs.KIND_KEY) == kind]
        asked = [one for one in ours if name in {None, one.study}]
        return sorted(asked, key=lambda one: (one.started or 0.0, jobs.number(one)))

    def job(self, identifier: str) -> Job:
        """Return one job as it stands.

        Raises:
            LostError: the cluster does not know it.
        """
        try:
            with self._told():
                return jobs.read(self._client.get_job_info(identifier))
        except ServiceError as error:
            if _UNKNOWN in str(error):
                raise LostError(f"the cluster at {self.address} has forgotten job {identifier}") from error
            raise

    def current(self, name: str) -> Job:
        """Return a study's latest job.

        Raises:
            UsageError: it has none that the cluster remembers.
        """
        found = self.jobs(name)
        if not found:
            raise UsageError(
                f"the cluster at {self.address} has no job of study {name}; `tuner ls --address {self.address}` lists "
                "its studies, `tuner resume` starts one again"
            )
        return found[-1]

    def output(self, identifier: str) -> str:
        """Return what a job has written so far."""
        with self._told():
            return str(self._client.get_job_logs(identifier))

    def stop(self, identifier: str) -> None:
        """Ask a job's driver to end as by Ctrl-C; Ray kills it where it has not after a minute and a half."""
        with self._told():
            self._client.stop_job(identifier)

    def forget(self, identifier: str) -> None:
        """Take a job that is over from the cluster's table."""
        with self._told():
            self._client.delete_job(identifier)

    def _next_id(self, name: str, kind: str) -> str:
        """Return the id of a study's next job, the same to all who ask at once: Ray takes one of them.

        A question is nobody else's and forgotten at once; Ray would add its output to that of an earlier one.
        """
        if kind != "study":
            return f"tuner-{kind}-{name}-{secrets.token_hex(6)}"
        return f"tuner-{kind}-{name}-{max((jobs.number(one) for one in self.jobs(name)), default=0) + 1}"

    def _refuse_other_ray(self) -> None:
        """Refuse a cluster whose Ray is of another minor version: its jobs may not understand each other.

        Raises:
            UsageError: it is.
        """
        import ray

        there = str(self._client._server_ray_version)  # Ray has no public name for it
        if there.split(".")[:2] != ray.__version__.split(".")[:2]:
            raise UsageError(
                f"the cluster at {self.address} runs Ray {there}, this is Ray {ray.__version__}; use the tuner version "
                "that the cluster's image has"
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        from ray.exceptions import AuthenticationError

        try:
            yield
        except AuthenticationError as error:
            raise ServiceError(
                f"the cluster at {self.address} refuses the token ({_first_line(error)}); set RAY_AUTH_MODE=token and "
                "RAY_AUTH_TOKEN_PATH to a file that holds it"
            ) from error
        except (ConnectionError, OSError) as error:
            raise ServiceError(f"no Ray cluster answers at {self.address}: {_first_line(error)}") from error
        except RuntimeError as error:
            raise ServiceError(f"the cluster at {self.address} refuses: {_first_line(error)}") from error


def _prepare() -> None:
    """Let Ray use a token that the environment names, and keep its own lines off the terminal."""
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
