"""The thread that writes to MLflow: in order, in batches, again and again where it fails, by way of a spool on disk.

The study's side only puts records into a queue. What cannot be sent goes to the spool with all that comes after it, so
memory is bounded however long MLflow is away, and what is there when the study ends is sent by a later process. What
the spool cannot hold either is counted, and told to MLflow again from the study's own storage (`tuner sync`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.tracking.batches import batches, halves
from tuner.tracking.connection import TrackingFailure, open_store
from tuner.tracking.destination import Destination
from tuner.tracking.operations import FileMade, ModelTrained, Operation, RunIds, TrialsListed
from tuner.tracking.spool import Spool

if TYPE_CHECKING:
    from tuner.tracking.store import Store

CAPACITY = 20_000
"""Records that may wait in memory: about 16 MB."""

SPOOL_FROM = 5_000
"""Records that wait before they go to the disk: MLflow is slow, or away."""

AT_ONCE = 1_000
"""Records looked at together: what can go in one request is found among them."""

LINGER_SECONDS = 8.0
"""So long records gather before they are sent: a request costs MLflow as much for ten epochs as for one, and of a study
of quick trials the server took a third less of the processors than with 2 seconds."""

ATTEMPTS = 8
REFUSALS = 3
"""After so many attempts we see whether the server answers otherwise. A record that it does not take and answers so
often is given up: it would hold up all others for ever."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0

OUT_OF_REACH_SECONDS = 5.0
"""So long a study that ends waits for an MLflow that says no or cannot be reached."""

ASIDE = 200
"""Files that may wait for an artifact store that does not take them, while metrics go on."""

KEEP_AGAIN_SECONDS = 5.0
"""So long records beyond the capacity are only counted, after the disk has refused what waits."""

_GUARD_SECONDS = 0.1
_GLANCE_SECONDS = 0.1

_THREADS: dict[tuple[str, str], threading.Thread] = {}
"""The last thread that wrote to a store for a study: one that was given up may still be in the middle of a request."""


class Writer:
    """Sends what is put to it; `seen` is told of each record where it stands in MLflow."""

    def __init__(
        self, destination: Destination, identity: str, folder: Path | None, seen: Callable[[Operation, RunIds], None]
    ) -> None:
        self._destination = destination
        self._identity = identity
        self._folder = folder
        self._seen = seen
        self._spool: Spool | None = None
        self._store: Store | None = None
        self._waiting: deque[Operation] = deque()
        self._in_hand: deque[list[Operation]] = deque()
        self._is_spooled = False  # what is in hand is also on disk
        self._aside: list[Operation] = []
        self._aside_due = 0.0
        self._aside_pause = FIRST_PAUSE_SECONDS
        self._failures = 0
        self._refusals = 0
        self._failing_since: float | None = None
        self._lost = 0
        self._keep_again_at = 0.0
        self.written = 0
        self.error = ""
        self._guard = threading.Lock()  # of all that is in hand and on disk, never held while MLflow is asked
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="tuner-tracking", daemon=True)
        self._before = _THREADS.get((destination.uri, identity))
        _THREADS[destination.uri, identity] = self._thread
        self._thread.start()

    @property
    def is_failing(self) -> bool:
        """Tell whether MLflow did not take what it was last told."""
        return self._failures > 0

    def put(self, operation: Operation) -> None:
        """Take a record, at once and whatever happens; once in many thousand the disk has to take them all."""
        if self._closing.is_set():
            self._lose(1, "the study reported to MLflow after the tracking was closed")
            return
        if self._may_keep() and self._guard.acquire(timeout=_GUARD_SECONDS):
            try:
                self._keep()
            finally:
                self._guard.release()
        if len(self._waiting) >= CAPACITY:
            self._lose(1, f"more than {CAPACITY} records waited for MLflow at {self._destination.shown}")
        else:
            self._waiting.append(operation)
            self._wake.set()

    def _may_keep(self) -> bool:
        """Tell whether the disk is to take what waits; one that is full is asked again only after a while."""
        return len(self._waiting) >= CAPACITY and time.monotonic() >= self._keep_again_at

    def abandon(self, timeout_seconds: float) -> None:
        """Wait until all is sent, at most so long, and forget the rest."""
        self._closing.set()
        self._wake.set()
        begun = time.monotonic()
        deadline = begun + timeout_seconds
        while self._thread.is_alive() and (left := deadline - time.monotonic()) > 0 and not self._is_given_up(begun):
            self._thread.join(min(left, _GLANCE_SECONDS))
        self._abandoned.set()

    def close(self, timeout_seconds: float) -> None:
        """Wait until all is sent, at most so long; then keep the rest on disk."""
        self.abandon(timeout_seconds)
        with self._guard:
            if self._thread.is_alive() and not self.error:
                self.error = (
                    f"MLflow at {self._destination.shown} did not take everything within {timeout_seconds:g} seconds"
                )
            self._keep()

    def unsent(self) -> tuple[int, int]:
        """Return how many records wait, and how many were given up."""
        with self._guard:
            in_hand = sum(map(len, self._in_hand))
            waiting = len(self._waiting) + len(self._aside) + (0 if self._is_spooled else in_hand)
            if self._spool is None:
                return waiting, self._lost
            on_disk = self._spool.waiting(in_hand if self._is_spooled else None)
            return waiting + on_disk, self._lost + self._spool.damaged

    def _is_given_up(self, begun: float) -> bool:
        """Tell whether MLflow has been out of reach so long since a study's end that waiting more is of little use."""
        since = self._failing_since
        return since is not None and time.monotonic() - max(since, begun) > OUT_OF_REACH_SECONDS

    def _write_all(self) -> None:
        try:
            self._await_the_one_before()
            self._open_spool()
            while not self._abandoned.is_set() and self._take():
                while self._in_hand and not self._abandoned.is_set():
                    self._send(self._in_hand[0])
        except Exception as error:  # ours, and no reason to lose what waits: `close` keeps it
            self.error = f"the thread that writes to MLflow broke off: {error!r}"

    def _await_the_one_before(self) -> None:
        """Let a writer that was given up finish its request: two at a time would make a run twice."""
        while self._before is not None and self._before.is_alive() and not self._abandoned.is_set():
            self._before.join(_GLANCE_SECONDS)
        self._before = None

    def _open_spool(self) -> None:
        if self._folder is None:
            return
        try:
            self._spool = Spool(self._folder, self._identity)
        except OSError as error:
            self.error = f"{self._folder} cannot be used: {error.strerror or error}"

    def _take(self) -> bool:
        """Take the next records in hand, those on disk first; wait for some, and say no when none will come."""
        while True:
            if 0 < len(self._waiting) < AT_ONCE:
                self._closing.wait(LINGER_SECONDS)
            with self._guard:
                if self._abandoned.is_set():
                    return False
                self._finish()
                self._next()
                if self._in_hand:
                    return True
            if self._closing.is_set() and not self._waiting and not self._aside:
                return False
            if self._closing.is_set():
                self._abandoned.wait(FIRST_PAUSE_SECONDS)
            else:
                self._wake.wait(max(0.0, self._aside_due - time.monotonic()) if self._aside else None)
                self._wake.clear()

    def _finish(self) -> None:
        """Tell the spool that what was taken from it has been sent."""
        if self._is_spooled and self._spool:
            try:
                self._spool.sent()
            except OSError as error:  # it is sent again by the next process, which changes nothing
                self.error = f"{self._folder} cannot be written: {error.strerror or error}"
        self._is_spooled = False

    def _next(self) -> None:
        if len(self._waiting) >= SPOOL_FROM:
            self._keep()
        if self._spool and self._spool.pending:
            try:
                self._in_hand = deque(batches(self._spool.next(AT_ONCE)))
                self._is_spooled = True
            except OSError as error:
                self._lose(self._spool.pending, f"{self._folder} cannot be read: {error.strerror or error}")
                self._spool = None
            return
        taken = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        if not taken and self._aside and (self._closing.is_set() or time.monotonic() >= self._aside_due):
            taken, self._aside = self._aside, []
        self._in_hand = deque(batches(taken))

    def _keep(self) -> None:
        """Put all that is in memory behind what waits on disk, or leave it where it is if the disk takes nothing."""
        if self._spool is None:
            return
        in_hand = [] if self._is_spooled else list(chain.from_iterable(self._in_hand))
        if self._abandoned.is_set():
            in_hand += self._aside
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            if in_hand or waiting:
                self._spool.append([*in_hand, *waiting])
        except OSError as error:
            self._waiting.extendleft(reversed(waiting))
            self._keep_again_at = time.monotonic() + KEEP_AGAIN_SECONDS
            self.error = f"{self._folder} cannot be written: {error.strerror or error}"
        else:
            if not self._is_spooled:
                self._in_hand.clear()
            if self._abandoned.is_set():
                self._aside.clear()

    def _send(self, batch: list[Operation]) -> None:
        try:
            where = self._write(batch)
        except TrackingFailure as failure:
            self._answer(batch, failure)
            return
        with self._guard:
            if self._abandoned.is_set() or not self._has_in_hand(batch):
                return  # it is on disk, or another process may have it now; what is said again is there already
            self._in_hand.popleft()
            self.written += len(batch)
            self._failures, self._refusals, self._failing_since = 0, 0, None
        for one in batch:
            self._seen(one, where)

    def _has_in_hand(self, batch: list[Operation]) -> bool:
        """Tell whether a batch is still to be sent from memory: a full queue goes to the disk, with what is in hand."""
        return bool(self._in_hand) and self._in_hand[0] is batch

    def _write(self, batch: list[Operation]) -> RunIds:
        if self._store is None:
            self._store = open_store(self._destination, self._identity)
        return self._store.apply(*batch)

    def _answer(self, batch: list[Operation], failure: TrackingFailure) -> None:
        """Do about a failure what can be done: smaller batches, another attempt later, or none."""
        # Whether the write arrived is not known, so what is remembered of these runs does not hold.
        if self._store is not None and failure.is_passing:
            self._store.forget(*batch)
        else:
            self._store = None
        if self._failures + 1 >= ATTEMPTS and not failure.is_busy and self._answers():
            self._refusals += 1
        is_hopeless = failure.is_final or self._refusals >= REFUSALS
        with self._guard:
            self.error = str(failure)
            if self._abandoned.is_set() or not self._has_in_hand(batch):
                return
            if (failure.is_too_large or is_hopeless) and len(batch) > 1:
                self._refusals = 0
                self._in_hand.popleft()
                self._in_hand.extendleft(reversed(halves(batch)))
                return
            if self._set_aside(batch[0], is_hopeless):
                return
            self._failures += 1
            self._failing_since = self._failing_since or time.monotonic()
            if is_hopeless or failure.is_too_large:
                self._in_hand.popleft()
                self._lose(len(batch), self.error)
                self._failures, self._refusals, self._failing_since = 0, 0, None
                return
            self._keep()
        self._pause()

    def _set_aside(self, operation: Operation, is_hopeless: bool) -> bool:
        """Put a file behind all else, and say whether that was done: where files go is often another service."""
        if (
            is_hopeless
            or not isinstance(operation, FileMade | ModelTrained | TrialsListed)
            or len(self._aside) >= ASIDE
        ):
            return False
        if not self._aside:
            self._aside_due = time.monotonic() + self._aside_pause
            self._aside_pause = min(2 * self._aside_pause, LONGEST_PAUSE_SECONDS)
        self._in_hand.popleft()
        self._aside.append(operation)
        self._failing_since = self._failing_since or time.monotonic()
        return True

    def _answers(self) -> bool:
        """Tell whether MLflow answers a question that has nothing to do with what it does not take."""
        try:
            open_store(self._destination).answer()
        except TrackingFailure:
            return False
        return True

    def _pause(self) -> None:
        if self._closing.is_set():
            self._abandoned.wait(FIRST_PAUSE_SECONDS)
        else:
            self._closing.wait(min(FIRST_PAUSE_SECONDS * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE_SECONDS))

    def _lose(self, count: int, words: str) -> None:
        self._lost += count
        self.error = words
