"""A stand-in for Ray's Jobs API over real HTTP: a table of jobs that tests write, lose and look at."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import ray

from tuner.cluster import Cluster


class Jobs:
    """The table: `jobs` are Ray's own documents by id, `logs` what each wrote; `is_down` answers nobody."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, str] = {}
        self.is_down = False
        self.address = ""

    def cluster(self) -> Cluster:
        """Return a client of it."""
        return Cluster(self.address)

    def add(self, asked: dict[str, Any]) -> None:
        """Take a job as Ray does."""
        self.jobs[asked["submission_id"]] = {
            "type": "SUBMISSION",
            "submission_id": asked["submission_id"],
            "status": "RUNNING",
            "entrypoint": asked["entrypoint"],
            "metadata": asked["metadata"],
            "start_time": int(time.time() * 1000),
        }

    def end(self, identifier: str, status: str = "SUCCEEDED", code: int = 0) -> None:
        """End a job."""
        self.jobs[identifier] |= {"status": status, "driver_exit_code": code, "end_time": int(time.time() * 1000)}

    def answer(self, method: str, path: str, sent: Any) -> tuple[int, Any]:
        """Return a status and a document."""
        _, _, what, *rest = path.rstrip("/").split("/")
        if what == "version":
            return 200, {"ray_version": ray.__version__}
        if what == "packages":
            return 200, {}
        if method == "POST" and not rest:
            if sent["submission_id"] in self.jobs:
                return 500, f"ValueError: Job with submission_id {sent['submission_id']} already exists. Please"
            self.add(sent)
            return 200, {"job_id": sent["submission_id"], "submission_id": sent["submission_id"]}
        if not rest:
            return 200, list(self.jobs.values())
        if rest[0] not in self.jobs:
            return 404, f"Job {rest[0]} does not exist"
        if rest[1:] == ["logs"]:
            return 200, {"logs": self.logs.get(rest[0], "")}
        if rest[1:] == ["stop"]:
            self.end(rest[0], "STOPPED")
            return 200, {"stopped": True}
        if method == "DELETE":
            del self.jobs[rest[0]]
            return 200, {"deleted": True}
        return 200, self.jobs[rest[0]]


@contextmanager
def serving(table: Jobs | None = None) -> Iterator[Jobs]:
    """Serve a table of jobs while the block runs."""
    table = Jobs() if table is None else table

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_json = "json" in self.headers.get("Content-Type", "")
            if table.is_down:
                self.close_connection = True
                return
            status, document = table.answer(self.command, self.path, json.loads(body) if is_json else None)
            answer = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    table.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield table
    finally:
        server.shutdown()
        server.server_close()
