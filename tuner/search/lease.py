"""The lease on a study: who drives it, with a sign of life every few seconds, so that no second driver joins in.

A lease whose holder is gone (its process on this machine ended, or it gave no sign for a minute) is taken over. A
driver that finds its lease taken stops itself and writes nothing more.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from tuner.errors import ServiceError, TunerError, UsageError
from tuner.home import study_directory
from tuner.search import database
from tuner.search.cell import Cell, DatabaseCell, FileCell

BEAT_SECONDS = 5.0
"""How often a driver gives a sign of life."""

EXPIRY_SECONDS = 60.0
"""After this long without one a driver counts as gone, wherever it ran."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lease. `machine` tells process numbers apart, also of containers; `beats` counts signs of life."""

    host: str
    machine: str
    pid: int
    born: str
    since: float
    key: str
    beats: int = 0

    def is_gone(self) -> bool:
        """Tell whether the holder ran here and its process has ended."""
        return self.machine == _machine() and _born(self.pid) != self.born

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since).astimezone().isoformat(sep=" ", timespec="seconds")
        return f"process {self.pid} on {self.host} since {since}"


class Lease:
    """A lease that is held; a thread of its own gives the signs of life, so that nothing else delays them."""

    def __init__(self, cell: Cell, holder: Holder, lost: Callable[[], None]) -> None:
        self._cell = cell
        self._holder = holder
        self._lost = lost
        self._taken = False
        self._renewed = time.monotonic()
        self._guard = threading.Lock()
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="tuner-lease", daemon=True)
        self._thread.start()

    def holds(self) -> bool:
        """Tell whether the study is still this driver's; asks the storage only after a long silence of its own.

        A driver that slept (a closed laptop, a stopped process) must not write before it knows.
        """
        if not self._taken and time.monotonic() - self._renewed > EXPIRY_SECONDS:
            database.patiently(self.renew)
        return not self._taken

    def renew(self) -> None:
        """Give a sign of life, and notice if another driver has taken over."""
        with self._guard:
            if self._taken or self._released.is_set():
                return
            start, later = time.monotonic(), replace(self._holder, beats=self._holder.beats + 1)
            if self._cell.replace(_text(self._holder), _text(later)):
                self._holder, self._renewed = later, start
            else:
                self._taken = True

    def release(self) -> None:
        """Give the study free, unless another driver has it."""
        with self._guard:
            self._released.set()
            if not self._taken:
                self._cell.replace(_text(self._holder), None)

    def _beat_on(self) -> None:
        while not self._released.wait(BEAT_SECONDS):
            # The storage may be out of reach for a while: `holds` decides when that has been too long.
            with suppress(TunerError):
                self.renew()
            if self._taken:
                self._lost()
                return


@contextmanager
def only_driver(name: str, lost: Callable[[], None] | None = None) -> Iterator[Lease]:
    """Hold the study's lease for as long as it is driven here; `lost` is called from a thread if it is taken away.

    Raises:
        UsageError: another driver is alive; the message says who and since when.
    """
    lease = take(_cell(name), name, lost or _interrupt)
    try:
        yield lease
    finally:
        with suppress(ServiceError):  # nobody has to release what belongs to a process that is gone
            lease.release()


def is_driven(name: str) -> bool:
    """Tell whether a living driver holds the study now."""
    found = _cell(name).read()
    return found is not None and not _is_free(_holder(found.text), found.age_seconds)


def stop_driver(name: str) -> None:
    """Ask the driver of a study to end as by Ctrl-C.

    Raises:
        UsageError: nobody drives it, or somebody does on another machine.
    """
    found = _cell(name).read()
    holder = None if found is None else _holder(found.text)
    if found is None or holder is None or _is_free(holder, found.age_seconds):
        raise UsageError(f"study {name} is not being run; `tuner status {name}` says how it stands")
    if holder.machine != _machine():
        raise UsageError(f"study {name} is being run by {holder}, which is not this machine; stop it there")
    os.kill(holder.pid, signal.SIGTERM)


def take(cell: Cell, name: str, lost: Callable[[], None]) -> Lease:
    """Take a study's lease where it is free, or its holder gone.

    Raises:
        UsageError: another driver is alive; the message says who and since when.
    """
    found = cell.read()
    if found and not _is_free(_holder(found.text), found.age_seconds):
        raise UsageError(_refusal(name, _holder(found.text), found.age_seconds))
    holder = Holder(
        socket.gethostname(), _machine(), os.getpid(), _born(os.getpid()), time.time(), secrets.token_hex(8)
    )
    if not cell.replace(found.text if found else None, _text(holder)):
        raise UsageError(f"study {name} was begun by another process just now; `tuner status {name}` shows it")
    return Lease(cell, holder, lost)


def _cell(name: str) -> Cell:
    if database.is_used():
        return DatabaseCell(database.engine(), name)
    return FileCell(study_directory(name) / "driver.json")


def _is_free(holder: Holder | None, age_seconds: float) -> bool:
    return holder is None or age_seconds > EXPIRY_SECONDS or holder.is_gone()


def _refusal(name: str, holder: Holder | None, age_seconds: float) -> str:
    return (
        f"study {name} is being run by {holder} (last sign of life {age_seconds:.0f} s ago); wait for it, or stop it "
        f"first; a driver that is silent for {EXPIRY_SECONDS:.0f} s counts as gone"
    )


def _holder(text: str) -> Holder | None:
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return None  # cut short by a full disk: nobody could renew it


def _text(holder: Holder) -> str:
    return json.dumps(asdict(holder))


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def _machine() -> str:
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
