"""MLflow's page on the local store, for as long as the command runs."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import typer

from tuner.errors import ServiceError, UsageError
from tuner.tracking import Destination, destination, elsewhere
from tuner.tracking.view import charts, page

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Its job runner is for judging language models: one process more, and a slower start.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    # What goes wrong is told; only then is it read.
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}

GRACE_SECONDS = 10.0
"""How long the server may take to end before it is killed."""


def ui(study: str | None = None, port: int = 5000, host: str = "127.0.0.1") -> None:
    """Serve MLflow's page until Ctrl-C; where a tracking server has the runs, say where its page is.

    A study (by default the one that was begun last) is opened with the columns and charts that suit it.

    Raises:
        UsageError: there is no store yet, no such study, or the port cannot be had.
        ServiceError: the page did not start.
    """
    where = destination()
    if where.is_server:
        typer.echo(f"The runs are on a tracking server; open {where.page}/#/experiments in a browser.")
        _tell_of(study, where)
        return
    if where.database is not None and not where.database.exists():
        raise UsageError(f"there is no store at {where.database} yet; run a study first, for example: tuner run digits")
    _require_free(host, port)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    typer.echo("Starting MLflow's page, which takes some seconds ...")
    try:
        with _server(where, host, port) as server:
            _tell_of(study, Destination(f"http://{_shown(host)}:{port}"))
            server.wait()
    except KeyboardInterrupt:
        typer.echo("Stopped.")


@contextmanager
def _server(where: Destination, host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *_arguments(where, host, port)],
            # In the environment and not among the arguments, which everybody on the machine can read.
            env={**os.environ, **SETTINGS, "MLFLOW_BACKEND_STORE_URI": where.uri},
            cwd=where.artifacts.parent if where.artifacts and where.artifacts.parent.is_dir() else None,
            stdout=log,
            stderr=log,
            # In a session of its own Ctrl-C reaches us alone, and ends the server without its tracebacks.
            start_new_session=True,
        )
        try:
            _await_answer(server, host, port, log)
            typer.echo(f"Open http://{_shown(host)}:{port}/#/experiments in a browser; Ctrl-C ends it.")
            yield server
            raise ServiceError(f"MLflow's page ended by itself: {_last_words(log)}")
        finally:
            _stop(server)


def _tell_of(study: str | None, at: Destination) -> None:
    """Say where a study's own page is.

    Raises:
        UsageError: MLflow has no such study.
    """
    try:
        found = elsewhere.experiment(at, study)
    except ServiceError as error:
        if study is not None:
            raise
        typer.echo(f"Which study was begun last cannot be told: {error}", err=True)
        return
    if found is not None:
        name, number = found
        shown = at.page or at.shown
        typer.echo(f"Study {name}:\n  its trials: {page(shown, number)}\n  as charts: {charts(shown, number)}")
    elif study is not None:
        raise UsageError(f"MLflow has no study {study}; `tuner sync {study}` sends it one that is stored here")


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _arguments(where: Destination, host: str, port: int) -> list[str]:
    artifacts = ["--artifacts-destination", where.artifacts.as_uri()] if where.artifacts else []
    network = ["--host", host, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    return [*artifacts, *network]


def _require_free(host: str, port: int) -> None:
    if not 0 < port < 2**16:
        raise UsageError(f"a port lies between 1 and 65535, got {port}; choose one with --port")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UsageError(
            f"port {port} on {host} cannot be had ({error.strerror or error}); choose another, for example --port 5001"
        ) from error


def _await_answer(server: subprocess.Popen[bytes], host: str, port: int, log: BinaryIO) -> None:
    while server.poll() is None:
        connection = http.client.HTTPConnection(host, port, timeout=2)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == http.client.OK:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)
        finally:
            connection.close()
    raise ServiceError(f"MLflow's page did not start: {_last_words(log)}")


def _last_words(log: BinaryIO) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (errors or lines or ["it said nothing"])[-1]


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and the processes it started; kill what is left after a while."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
        except ProcessLookupError:
            break
        _await_end(server)
    server.wait()


def _await_end(server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and _is_alive(server):
        time.sleep(0.05)


def _is_alive(server: subprocess.Popen[bytes]) -> bool:
    server.poll()
    try:
        os.killpg(server.pid, 0)
    except ProcessLookupError:
        return False
    return True
