"""What a study will cost, before it is paid for: a trial is tried, and its numbers carried over to all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tuner.errors import UsageError
from tuner.search import baselines, check, probing, session, sharing
from tuner.search.estimate import Plan, Tried, estimated
from tuner.spec import StudySpec

_MOST_COPIES = 8


def plan(spec: StudySpec, note: Callable[[str], None]) -> Plan:
    """Try a study's trial, here or on the cluster that RAY_ADDRESS names, and return what the study will cost.

    Where the cluster is busy it waits until a place is free for a trial; `note` is told so.

    Raises:
        StudyFileError: the data cannot be loaded, or a corner does not build.
        StudyFailed: the trial that was tried broke.
        ServiceError: Ray cannot be started or reached.
    """
    queued, waiting = baselines.queue(spec), probing.Waiting(note)
    split = check.load(spec)
    with session.connected() as nodes:
        begun = Plan(spec.name, len(nodes), sum(node.cpus for node in nodes), sum(node.gpus for node in nodes))
        try:
            session.require_gpus(spec.resources.gpus_known)
            shared = sharing.settled(spec, split, nodes, waiting)
            wanted = shared.spec.resources
            places = session.slots(nodes, wanted.cpus, wanted.gpus_known, wanted.concurrent)
        except UsageError as error:
            return Plan(**{**vars(begun), "never": str(error)})
        subjects = probing.subjects(spec, split)
        copies = min(places, _MOST_COPIES)
        try_all = partial(probing.probe, shared.spec, split, gpus=wanted.gpus_known, copies=copies, waiting=waiting)
        unmixed = try_all(subjects.unmixed)
        mixed = try_all(subjects.mixed) if subjects.mixed else None
    trials = len(queued) * spec.search.seeds if spec.search.sampler == "grid" else spec.search.trials
    return estimated(Tried(shared, split, tuple(nodes), places, subjects, unmixed, mixed), trials)
