"""A study's turn on a cluster: its place in the queue, and then its share of the places, as others have theirs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import optuna

from tuner.errors import StudyFileError, UsageError
from tuner.search import database, queue, session, sharing, supervision
from tuner.search.lease import Lease
from tuner.search.queue import Claim, Share, all_of_it
from tuner.search.session import Node
from tuner.search.waiting import NotYet, begins
from tuner.spec import StudySpec


@contextmanager
def queued(study: optuna.Study, priority: int | None) -> Iterator[None]:
    """Give a study its place in a cluster's queue, before data are read and nodes awaited; what ends leaves the queue.

    So whoever goes on with what lost its driver finds it. What is refused loses a place that it did not have before.
    """
    had_place = supervision.is_queued(study)
    if os.environ.get("RAY_ADDRESS"):
        supervision.keep_code(study.study_name)
        supervision.queued(study, priority)
    try:
        yield
    except KeyboardInterrupt:
        supervision.settle(study)
        raise
    except (StudyFileError, UsageError):
        if not had_place:
            supervision.leave(study.study_name)
        raise
    supervision.settle(study)


def begun(
    spec: StudySpec, study: optuna.Study, lease: Lease, priority: int | None, note: Callable[[str], None]
) -> Share:
    """Begin on the cluster of RAY_ADDRESS if it is the study's turn; return its share of the places from then on.

    On Ray of its own it has it all. A priority that is not given is that of before.

    Raises:
        NotYet: it has to wait; what is stored of it says so.
    """
    if not os.environ.get("RAY_ADDRESS"):
        return all_of_it
    claim = _claim(spec, supervision.queued(study, priority), session.nodes())
    with database.patience(note):
        if not database.patiently(lambda: _begins(spec.name, lease, claim)):
            raise NotYet(spec.name, claim)

    def share(nodes: Sequence[Node], room: int, gpus: float) -> int:
        lease.takes(gpus)
        if queue.gives_way(spec.name, nodes, lease.claims):
            return 0
        return min(room, queue.shares(nodes, lease.claims).get(spec.name, room))

    return share


@contextmanager
def measuring(lease: Lease) -> Iterator[None]:
    """Have the other studies of a cluster leave a GPU to this one: inside the block they begin no trial on any."""
    lease.takes(1.0, measures=True)
    try:
        yield
    finally:
        lease.takes(1.0)


def _begins(name: str, lease: Lease, claim: Claim) -> bool:
    if lease.has_place():  # this process has waited for it
        lease.look_around()
        return True
    lease.claim(claim)
    return begins(name, lease, claim, session.nodes())


def _claim(spec: StudySpec, place: supervision.Queued, nodes: Sequence[Node]) -> Claim:
    wanted = spec.resources
    most = 0 if wanted.concurrent == "auto" else int(wanted.concurrent)
    gpus = sharing.first_gpus(wanted.gpus, nodes)
    measures = wanted.gpus == "auto" and gpus > 0
    return Claim(session.address(), place.priority, place.since, wanted.cpus, gpus, most, measures=measures)
