"""A real PostgreSQL server, started here for tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

PASSWORD = "open-sesame"


def binaries() -> Path | None:
    """Return the folder of initdb and postgres, which Debian keeps off the path."""
    found = [Path(shutil.which("initdb")).resolve().parent] if shutil.which("initdb") else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in found if (folder / "initdb").exists()), None)


class Server:
    """A PostgreSQL server of one's own; it will not run as root, so there it runs as the package's user."""

    def __init__(self, folder: Path) -> None:
        self.bin = binaries()
        self.folder = folder
        self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        if self.user:
            shutil.chown(folder, "postgres", "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "password").write_text(PASSWORD)
        self.call("initdb", "-A", "scram-sha-256", "-U", "tuner", f"--pwfile={folder}/password", "-D", f"{folder}/data")
        self.start()

    def call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self.user, str(self.bin / program), *arguments],
            cwd=self.folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self.call("pg_ctl", "-D", f"{self.folder}/data", "-w", "-o", options, "-l", f"{self.folder}/data/log", "start")

    def stop(self) -> None:
        self.call("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", "immediate", "stop")

    def address(self, password: str = PASSWORD, base: str = "postgres") -> str:
        return f"postgresql://tuner:{password}@127.0.0.1:{self.port}/{base}"

    def new_base(self) -> str:
        """Make an empty database, and return its name."""
        base = f"base_{time.monotonic_ns()}"
        with psycopg.connect(self.address(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {base}")
        return base


@contextmanager
def running() -> Iterator[Server]:
    """Start a server, and end it."""
    folder = Path("/tmp") / f"tuner-postgres-{os.getpid()}-{time.monotonic_ns()}"  # its user can read all above it
    folder.mkdir()
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
