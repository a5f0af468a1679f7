"""The lease on a study: who drives it, with a sign of life every few seconds, so that no second driver joins in.

A lease whose holder is gone (its process on this machine ended, or it gave no sign for a minute) is taken over. A
driver that finds its lease taken stops itself and writes nothing more.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from tuner.errors import ServiceError, TunerError, UsageError
from tuner.home import studies_directory, study_directory
from tuner.search import cell as cells
from tuner.search import database, holder
from tuner.search.cell import Cell, DatabaseCell, FileCell, Written
from tuner.search.holder import Holder
from tuner.search.queue import Claim, Claims

BEAT_SECONDS = 5.0
"""How often a driver gives a sign of life."""

EXPIRY_SECONDS = 60.0
"""After this long without one a driver counts as gone, wherever it ran."""

_KEY_VARIABLE = "TUNER_LEASE"
"""Names the lease that this process held before it became another program."""


class Lease:
    """A lease that is held; a thread of its own gives the signs of life, so that nothing else delays them.

    `claims` are those of all studies on this one's cluster, as of the last sign of life.
    """

    def __init__(self, cell: Cell, own: Holder, lost: Callable[[], None]) -> None:
        self.claims: Claims = {}
        self._cell = cell
        self._holder = own
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
        self._say(self._holder.claim)

    def claim(self, wanted: Claim) -> None:
        """Say what the study asks a cluster for, and whether it has it."""
        self._say(wanted)
        self.look_around()

    def takes(self, gpus: float, *, measures: bool = False) -> None:
        """Say how many GPUs each trial of the study takes, or the one that it measures, where that is not known."""
        known = self._holder.claim
        if known is not None and (wanted := replace(known, gpus=gpus, measures=measures)) != known:
            database.patiently(lambda: self.claim(wanted))

    def has_place(self) -> bool:
        """Tell whether the study has its place on a cluster."""
        return self._holder.claim is not None and self._holder.claim.is_running

    def hand_over(self) -> None:
        """Leave the lease as it is to the program that this process becomes next."""
        with self._guard:
            self._released.set()
            os.environ[_KEY_VARIABLE] = self._holder.key

    def look_around(self) -> None:
        """Read what all studies on this one's cluster ask for."""
        if self._holder.claim is not None:
            self.claims = claims(self._holder.claim.cluster)

    def release(self) -> None:
        """Give the study free, unless that was done before or another driver has it."""
        with self._guard:
            was_released = self._released.is_set()
            self._released.set()
            if not self._taken and not was_released:
                self._cell.replace(self._holder.as_text(), None)

    def _say(self, claim: Claim | None) -> None:
        with self._guard:
            if self._taken or self._released.is_set():
                return
            start, later = time.monotonic(), replace(self._holder, claim=claim, beats=self._holder.beats + 1)
            if self._cell.replace(self._holder.as_text(), later.as_text()):
                self._holder, self._renewed = later, start
            else:
                self._taken = True

    def _beat_on(self) -> None:
        while not self._released.wait(BEAT_SECONDS):
            # The storage may be out of reach for a while: `holds` decides when that has been too long.
            with suppress(TunerError):
                self.renew()
                self.look_around()
            if self._taken:
                self._lost()
                return


@contextmanager
def only_driver(name: str, lost: Callable[[], None] | None = None) -> Iterator[Lease]:
    """Hold the study's lease for as long as it is driven here; `lost` is called from a thread if it is taken away.

    Raises:
        UsageError: another driver is alive; the message says who and since when.
    """
    lease = of(name, lost)
    try:
        yield lease
    finally:
        with suppress(ServiceError):  # nobody has to release what belongs to a process that is gone
            lease.release()


def of(name: str, lost: Callable[[], None] | None = None) -> Lease:
    """Take a study's lease, see `take`; `lost` is called from a thread if it is taken away."""
    return take(_cell(name), name, lost or _interrupt)


def driver(name: str) -> Holder | None:
    """Return the living driver that holds the study now, if there is one."""
    return _living(_cell(name).read())


def is_driven(name: str) -> bool:
    """Tell whether a living driver holds the study now."""
    return driver(name) is not None


def died_at_work(name: str) -> bool:
    """Tell whether the last driver of a study that nobody drives left without a word, and not while it waited."""
    written = _cell(name).read()
    known = None if written is None else holder.read(written.text)
    return known is not None and (known.claim is None or known.claim.is_running)


def claims(cluster: str) -> dict[str, Claim]:
    """Return what the studies that living drivers hold ask of the cluster at an address."""
    living = {name: _living(written) for name, written in _everything().items()}
    found = {name: one.claim for name, one in living.items() if one is not None and one.claim is not None}
    return {name: claim for name, claim in found.items() if claim.cluster == cluster}


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let one process at a time, of all that share the studies' place, decide by the claims of now."""
    if database.is_used():
        with cells.database_turn(database.engine()):
            yield
        return
    with cells.folder_turn(studies_directory()):
        yield


def stop_driver(name: str) -> None:
    """Ask the driver of a study to end as by Ctrl-C.

    Raises:
        UsageError: nobody drives it, or somebody does on another machine.
    """
    found = driver(name)
    if found is None:
        raise UsageError(f"study {name} is not being run; `tuner status {name}` says how it stands")
    if found.machine != holder.machine():
        raise UsageError(f"study {name} is being run by {found}, which is not this machine; stop it there")
    os.kill(found.pid, signal.SIGTERM)


def take(cell: Cell, name: str, lost: Callable[[], None]) -> Lease:
    """Take a study's lease where it is free, or its holder gone.

    Raises:
        UsageError: another driver is alive; the message says who and since when.
    """
    found = cell.read()
    living, own = _living(found), holder.this_process()
    if found is not None and living is not None:
        if living.key != os.environ.pop(_KEY_VARIABLE, None):
            raise UsageError(_refusal(name, living, found.age_seconds))
        own = replace(own, claim=living.claim)  # this process has held it as another program
    if not cell.replace(found.text if found else None, own.as_text()):
        raise UsageError(f"study {name} was begun by another process just now; `tuner status {name}` shows it")
    return Lease(cell, own, lost)


def _cell(name: str) -> Cell:
    if database.is_used():
        return DatabaseCell(database.engine(), name)
    return FileCell(study_directory(name) / "driver.json")


def _everything() -> dict[str, Written]:
    if database.is_used():
        return cells.rows(database.engine())
    files = {path.parent.name: FileCell(path).read() for path in studies_directory().glob("*/driver.json")}
    return {name: written for name, written in files.items() if written is not None}


def _living(found: Written | None) -> Holder | None:
    """Return who holds a lease, unless that is nobody any more."""
    known = None if found is None else holder.read(found.text)
    if found is None or known is None or found.age_seconds > EXPIRY_SECONDS or known.is_gone():
        return None
    return known


def _refusal(name: str, by: Holder, age_seconds: float) -> str:
    return (
        f"study {name} is being run by {by} (last sign of life {age_seconds:.0f} s ago); wait for it, or stop it "
        f"first; a driver that is silent for {EXPIRY_SECONDS:.0f} s counts as gone"
    )


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)
