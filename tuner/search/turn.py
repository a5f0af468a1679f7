"""A study's turn on a cluster: it waits in the queue, and then keeps to its share of the places, as others do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import optuna

from tuner.errors import StudyFailed
from tuner.search import database, queue, session, supervision
from tuner.search.lease import Lease, claims, driver, one_at_a_time
from tuner.search.queue import Claim, Share, all_of_it
from tuner.search.session import Node
from tuner.spec import StudySpec

_LOOK_SECONDS = 2.0

_ORDINALS = {1: "1st", 2: "2nd", 3: "3rd"}


@contextmanager
def begun(
    spec: StudySpec, study: optuna.Study, lease: Lease, priority: int | None, note: Callable[[str], None]
) -> Iterator[Share]:
    """Wait until the study may begin on the cluster of RAY_ADDRESS; yield its share of the places from then on.

    On Ray of its own it begins at once, and has it all. `note` is told what is waited for, and with no words when that
    is over. A priority that is not given is that of before.

    Raises:
        StudyFailed: another driver has taken the study over meanwhile.
    """
    if not os.environ.get("RAY_ADDRESS"):
        yield all_of_it
        return
    supervision.keep_code(spec.name)
    claim = _claim(spec, supervision.queued(study, priority))
    _await(spec.name, lease, claim, note)

    def share(nodes: Sequence[Node], room: int) -> int:
        return min(room, queue.shares(nodes, lease.claims).get(spec.name, room))

    yield share


def place(name: str) -> dict[str, int] | None:
    """Return the place of a study that waits, of how many, and its priority; None of one that does not."""
    holder = driver(name)
    if holder is None or holder.claim is None or holder.claim.is_running:
        return None
    names = queue.waiting(claims(holder.claim.cluster) | {name: holder.claim})
    return {"place": names.index(name) + 1, "of": len(names), "priority": holder.claim.priority}


def in_words(place: int, of: int) -> str:
    """Say who comes how soon."""
    ordinal = _ORDINALS.get(place, f"{place}th") if place not in range(11, 14) else f"{place}th"
    return f"{ordinal} in the queue" if of == 1 else f"{ordinal} in the queue of {of}"


def _claim(spec: StudySpec, place: supervision.Queued) -> Claim:
    wanted = spec.resources
    most = 0 if wanted.concurrent == "auto" else int(wanted.concurrent)
    return Claim(session.address(), place.priority, place.since, wanted.cpus, wanted.gpus, most)


def _await(name: str, lease: Lease, claim: Claim, note: Callable[[str], None]) -> None:
    said = ""
    with database.patience(note):
        database.patiently(lambda: lease.claim(claim))
        while not database.patiently(lambda: _begins(name, lease, claim)):
            if not lease.holds():
                raise StudyFailed(f"another driver has taken over study {name}; `tuner status {name}` shows it")
            waiting = queue.waiting(lease.claims)
            place = waiting.index(name) + 1 if name in waiting else len(waiting) + 1
            words = f"waiting: {in_words(place, max(place, len(waiting)))}; it begins when the cluster has room"
            if words != said:
                note(words)
                said = words
            time.sleep(_LOOK_SECONDS)
    if said:
        note("")


def _begins(name: str, lease: Lease, claim: Claim) -> bool:
    """Begin if it is this study's turn, and tell whether it is."""
    with one_at_a_time():
        lease.look_around()
        if name not in lease.claims or not queue.may_begin(name, session.nodes(), lease.claims):
            return False
        lease.claim(replace(claim, is_running=True))
        return lease.holds()
