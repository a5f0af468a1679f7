"""A study's place in the queue while it waits, kept by a small process: a driver becomes it, and it the driver again.

Many studies may wait on a cluster's head. A driver holds torch, MLflow and the data, half a gigabyte of memory; this
process needs a fifth of that, so only what runs takes a driver's memory.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import NoReturn

from tuner.errors import StudyFailed, TunerError
from tuner.search import database, lease, queue, session
from tuner.search.lease import Lease
from tuner.search.queue import Claim
from tuner.search.session import Node
from tuner.signals import as_interrupt

_LOOK_SECONDS = 2.0

_ORDINALS = {1: "1st", 2: "2nd", 3: "3rd"}


class NotYet(Exception):
    """It is not a study's turn: to wait, call `wait_as`, when everything of the driver is let go."""

    def __init__(self, name: str, claim: Claim) -> None:
        super().__init__(f"it is not the turn of study {name}")
        self.name = name
        self.claim = claim

    def wait_as(self, command: Sequence[str]) -> NoReturn:
        """Become the process that waits, and then becomes `tuner` with these arguments."""
        sys.stdout.flush()
        sys.stderr.flush()
        claim = json.dumps(asdict(self.claim))
        os.execv(sys.executable, [sys.executable, "-m", "tuner.search.waiting", self.name, claim, *command])


def begins(name: str, held: Lease, claim: Claim, nodes: Sequence[Node]) -> bool:
    """Begin if it is a study's turn, and tell whether it is."""
    with lease.one_at_a_time():
        held.look_around()
        if name not in held.claims or not queue.may_begin(name, nodes, held.claims):
            return False
        held.claim(replace(claim, is_running=True))
        return held.holds()


def place(name: str) -> dict[str, int] | None:
    """Return the place of a study that waits, of how many, and its priority; None of one that does not."""
    holder = lease.driver(name)
    if holder is None or holder.claim is None or holder.claim.is_running:
        return None
    names = queue.waiting({**lease.claims(holder.claim.cluster), name: holder.claim})
    return {"place": names.index(name) + 1, "of": len(names), "priority": holder.claim.priority}


def in_words(place: int, of: int) -> str:
    """Say who comes how soon."""
    ordinal = f"{place}th" if place in range(11, 14) else _ORDINALS.get(place, f"{place}th")
    return f"{ordinal} in the queue" if of == 1 else f"{ordinal} in the queue of {of}"


def wait(name: str, claim: Claim, note: Callable[[str], None]) -> None:
    """Wait for a study's turn, and keep its place for the driver that this process becomes.

    Raises:
        StudyFailed: another driver has taken the study over.
    """
    with session.connected(for_trials=False), database.patience(note):
        held = lease.of(name)
        try:
            database.patiently(lambda: held.claim(claim))
            _wait(name, held, claim, note)
        except BaseException:
            held.release()
            raise
        held.hand_over()


def _wait(name: str, held: Lease, claim: Claim, note: Callable[[str], None]) -> None:
    said = ""
    while not database.patiently(lambda: begins(name, held, claim, session.nodes())):
        if not held.holds():
            raise StudyFailed(f"another driver has taken over study {name}; `tuner status {name}` shows it")
        names = queue.waiting(held.claims)
        if name in names and (words := f"waiting: {in_words(names.index(name) + 1, len(names))}") != said:
            note(words)
            said = words
        time.sleep(_LOOK_SECONDS)


def _say(words: str) -> None:
    sys.stderr.write(f"{words or 'going on'}\n")


def _leave(name: str) -> NoReturn:
    from tuner.search import storage, supervision  # much memory, of which this process is to take little

    supervision.settle(storage.load(name))
    sys.stderr.write(f"interrupted; to go on: tuner resume {name}\n")
    sys.exit(130)


def main() -> None:
    """Wait for the turn of the study that the arguments name, and become the command that they end with."""
    name, claim, *command = sys.argv[1:]
    signal.signal(signal.SIGTERM, as_interrupt)
    try:
        wait(name, Claim(**json.loads(claim)), _say)
    except TunerError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _leave(name)
    os.execv(sys.executable, [sys.executable, "-m", "tuner", *command])


if __name__ == "__main__":
    main()
