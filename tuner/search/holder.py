"""Who holds a lease, as it stands there: a process that can be told from every other, and what its study asks for."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tuner.search.queue import Claim


@dataclass(frozen=True)
class Holder:
    """Who holds a lease. `machine` tells process numbers apart, also of containers; `beats` counts signs of life.

    `claim` is what the study asks a cluster for, and whether it has it; None of one that runs on Ray of its own.
    """

    host: str
    machine: str
    pid: int
    born: str
    since: float
    key: str
    beats: int = 0
    claim: Claim | None = None

    def is_gone(self) -> bool:
        """Tell whether the holder ran here and its process has ended."""
        return self.machine == machine() and _born(self.pid) != self.born

    def as_text(self) -> str:
        """Return it as it is stored."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since).astimezone().isoformat(sep=" ", timespec="seconds")
        return f"process {self.pid} on {self.host} since {since}"


def this_process() -> Holder:
    """Return this process as a lease's next holder."""
    return Holder(socket.gethostname(), machine(), os.getpid(), _born(os.getpid()), time.time(), secrets.token_hex(8))


def read(text: str) -> Holder | None:
    """Return the holder that a text tells of; None where it was cut short by a full disk: nobody could renew it."""
    try:
        found: dict[str, Any] = json.loads(text)
        claim = found.pop("claim", None)
        return Holder(**found, claim=None if claim is None else Claim(**claim))
    except (ValueError, TypeError):
        return None


def machine() -> str:
    """Return what makes process numbers comparable: the host, its start and the numbers' own space."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _born(pid: int) -> str:
    """Return when a process started, in the system's own words; empty where there is no such process any more."""
    if not Path("/proc/self/stat").exists():
        return _signalled(pid)
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else rest[18]  # a killed process stands there until its parent asks for its end


def _signalled(pid: int) -> str:
    """Return a word for a process that lives, where the system has no /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"
