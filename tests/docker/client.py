"""The tuner on the host, as a user of the cluster has it: by its address, with the token in a file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docker.cluster import Cluster
from tests.processes import start
from tests.readme import ROOT

SMALL = {
    "trial.training.epochs": 2,
    "search.trials": 4,
    "scheduler.grace_epochs": 1,
    "confirm.finalists": 1,
    "confirm.seeds": 2,
}
"""What makes a study one of seconds."""


@dataclass(frozen=True)
class Client:
    """Runs `tuner` on the host against a cluster; `folder` is for what it needs there."""

    cluster: Cluster
    folder: Path

    def run(self, *arguments: str, seconds: float = 480, cwd: Path = ROOT) -> tuple[int, str, str]:
        """Run a command for the cluster; return its exit code, standard output and standard error."""
        process = start(self.folder / "home", *arguments, "--address", self.cluster.ray_url, cwd=cwd, **self.settings())
        try:
            out, err = process.communicate(timeout=seconds)
        finally:
            process.kill()
        return process.returncode, out, err

    def json(self, *arguments: str, cwd: Path = ROOT) -> Any:
        """Run a command that has to succeed; return its JSON document."""
        code, out, err = self.run(*arguments, "--json", cwd=cwd)
        assert code == 0, f"{arguments} ended with {code}: {out[-2000:]}\n{err[-4000:]}"
        return json.loads(out)

    def submit(self, study: str, name: str, *arguments: str, **settings: object) -> Any:
        """Submit a study under a name with settings, whose dots are written as two underlines."""
        changes = {"name": name, **{key.replace("__", "."): value for key, value in settings.items()}}
        return self.json("submit", study, *sets(changes), *arguments)

    def wait(self, name: str, seconds: float = 480) -> None:
        """Wait for a study's job, which has to succeed."""
        code, out, err = self.run("wait", name, seconds=seconds)
        assert code == 0, f"{out}{err}{self.run('logs', name)[1][-4000:]}"

    def environment(self) -> dict[str, str]:
        """Return the whole environment of a process of theirs."""
        own = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "TUNER_"))}
        return own | self.settings()

    def settings(self) -> dict[str, str]:
        """Return the environment of somebody who has the token."""
        file = self.folder / "token"
        file.touch(mode=0o600)
        file.write_text(self.cluster.token())
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(file)}


def sets(changes: dict[str, Any]) -> list[str]:
    """Return the arguments that change a study file's leaves."""
    return [argument for key, value in changes.items() for argument in ("--set", f"{key}={value}")]
