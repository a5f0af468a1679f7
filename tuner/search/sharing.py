"""How many trials share a GPU where a study says `resources.gpus: auto`: by the memory that one trial was seen to take.

Every trial is a process with a CUDA context of its own beside what torch reserves, so a GPU holds as many as there is
room for that context and the reserved memory with a margin: memory is not the same for every policy and moment.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tuner.datasets import Split
from tuner.errors import UsageError
from tuner.search import probing
from tuner.search.session import Node
from tuner.spec import StudySpec
from tuner.spec.study import MOST_TRIALS_A_GPU, share_of_gpu
from tuner.trial import Memory

MARGIN = 1.25

_LARGEST_CONTEXT_BYTES = 2 * 2**30
"""A context takes less than a GiB; what is beyond this is somebody else's, and measured where it is."""

_GIB = 2**30

_NO_GPU = "resources.gpus: auto finds no GPU; trials run on the processors"

_MAY_COME = (
    "no node with a GPU had joined the cluster when the study looked, so resources.gpus: auto is 0 for this run; "
    "where one has joined since: tuner stop, then tuner resume, which looks again"
)


@dataclass(frozen=True)
class Shared:
    """A study whose trials' GPUs are a number, what each may reserve there, and why it is so; none where unmeasured.

    `warning` says what people should do about it, if anything.
    """

    spec: StudySpec
    memory_bytes: int | None = None
    words: str = ""
    warning: str = ""


def first_gpus(wanted: float | Literal["auto"], nodes: Sequence[Node]) -> float:
    """Return the GPUs of a study's first trial: where the share is yet to be measured, that takes a whole one."""
    if wanted != "auto":
        return wanted
    return 1.0 if any(node.gpus >= 1 for node in nodes) else 0.0


def settled(spec: StudySpec, split: Split, nodes: Sequence[Node], waiting: probing.Waiting = probing.AT_ONCE) -> Shared:
    """Return a study with its GPUs as a number, Ray being connected; a trial is tried on a whole GPU if need be.

    Raises:
        UsageError: the nodes' GPUs cannot be used, or are too small for one trial.
        StudyFailed: the trial that was tried broke.
    """
    if spec.resources.gpus != "auto":
        return Shared(spec)
    if not first_gpus("auto", nodes):
        return Shared(with_gpus(spec, 0.0), None, _NO_GPU, _MAY_COME if os.environ.get("RAY_ADDRESS") else "")
    tried = probing.subjects(spec, split)
    measured = probing.probe(spec, split, tried.mixed or tried.unmixed[:1], gpus=1, waiting=waiting)
    return from_measured(spec, measured, nodes)


def from_measured(spec: StudySpec, measured: probing.Measured, nodes: Sequence[Node]) -> Shared:
    """Return the study that shares GPUs as a measured trial allows.

    Raises:
        UsageError: torch could not use the GPU, or it is too small for one trial.
    """
    if measured.device == "cpu":
        raise UsageError(
            "resources.gpus: auto finds GPUs that torch cannot use (`tuner doctor` says why); set resources.gpus: 0 to "
            "train on the processors"
        )
    memory = measured.memory
    trials = trials_a_gpu(memory, cpus_a_gpu(nodes), spec.resources.cpus)
    each = f"one takes {memory.peak_bytes / _GIB:.2f} GiB and a context of {_context(memory) / _GIB:.2f}"
    words = f"{_count(trials)} share a GPU ({measured.device}, {memory.total_bytes / _GIB:.0f} GiB): {each}"
    return Shared(with_gpus(spec, share_for(trials)), int(MARGIN * memory.peak_bytes), words)


def trials_a_gpu(memory: Memory, cpus_for_it: float, cpus: int) -> int:
    """Return how many trials share a GPU: by its memory with a margin, at most what the processors beside it hold.

    Where one trial fits only without the margin it has the GPU to itself.
    """
    by_memory = int(memory.total_bytes // (MARGIN * memory.peak_bytes + _context(memory)))
    return max(1, min(by_memory, int(cpus_for_it // cpus), MOST_TRIALS_A_GPU))


def cpus_a_gpu(nodes: Sequence[Node]) -> float:
    """Return the processors for each GPU where they are fewest."""
    return min((node.cpus / node.gpus for node in nodes if node.gpus >= 1), default=0.0)


def fewer(gpus: float) -> float:
    """Return the share with which fewer trials are on a GPU, one if it can be; a whole one stays."""
    trials = int(1 / gpus + 1e-9) if 0 < gpus < 1 else 1
    return share_for(trials - 1) if trials > 1 else gpus


def share_for(trials: int) -> float:
    """Return the share of a GPU of which no more than so many fill it, in the thousandths that Ray adds up."""
    return share_of_gpu(1000 // (1000 // (trials + 1) + 1))


def with_gpus(spec: StudySpec, gpus: float) -> StudySpec:
    """Return a study whose trials take so many GPUs each."""
    return replace(spec, resources=spec.resources.model_copy(update={"gpus": gpus}))


def _context(memory: Memory) -> int:
    return min(memory.context_bytes, _LARGEST_CONTEXT_BYTES)


def _count(trials: int) -> str:
    return "1 trial" if trials == 1 else f"{trials} trials"
