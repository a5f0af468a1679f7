"""A proxy between a writer and an MLflow server that does what networks and servers do on bad days."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PASSED_ON = {"content-type", "authorization", "accept", "user-agent"}


@dataclass
class Faults:
    """What happens to requests from now on; each is asked anew for every request.

    `refuse` answers none, `status` answers with that one and passes nothing on, `cut` passes on and drops the
    connection before the answer, `delay_seconds` waits first, `largest_bytes` answers 413 to more. `only` is the part
    of a path that a request must have to be met by them, `times` how many more are (for ever by default).
    """

    refuse: bool = False
    status: int = 0
    cut: bool = False
    delay_seconds: float = 0.0
    largest_bytes: int = 2**40
    only: str = ""
    times: float = float("inf")
    seen: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def heal(self) -> None:
        """Pass everything on from now on."""
        self.refuse, self.status, self.cut, self.delay_seconds = False, 0, False, 0.0
        self.largest_bytes, self.only, self.times = 2**40, "", float("inf")

    def meets(self, path: str) -> bool:
        """Tell whether a request is met, and count it."""
        with self.lock:
            self.seen.append(path)
            if self.only not in path or self.times <= 0:
                return False
            self.times -= 1
            return True


@contextmanager
def proxied(server: str) -> Iterator[tuple[str, Faults]]:
    """Yield the address of a proxy before `server`, and what can be broken about it."""
    faults, target = Faults(), urlsplit(server)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            met = faults.meets(self.path)
            if met and faults.delay_seconds:
                time.sleep(faults.delay_seconds)
            if met and faults.refuse:
                self.drop()
                return
            if met and (faults.status or len(body) > faults.largest_bytes):
                self.answer(faults.status or 413, b"a bad day", "text/plain")
                return
            try:
                status, content, kind = passed_on(target.netloc, self.command, self.path, dict(self.headers), body)
            except (OSError, http.client.HTTPException):  # the server is down
                self.drop()
                return
            if met and faults.cut:
                self.drop()
            else:
                self.answer(status, content, kind)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815

        def answer(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def drop(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    class Proxy(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass  # a client that went away

    proxy = Proxy(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}", faults
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()


def passed_on(netloc: str, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes, str]:
    """Return the server's own answer: status, content and its kind."""
    connection = http.client.HTTPConnection(netloc, timeout=60)
    try:
        kept = {key: value for key, value in headers.items() if key.lower() in PASSED_ON}
        connection.request(method, path, body, kept)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("Content-Type", "application/json")
    finally:
        connection.close()
