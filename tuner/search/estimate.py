"""A study's cost, worked out from a trial that was tried: hours, epochs, disk, and what would go wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tuner import trial
from tuner.datasets import Split
from tuner.home import home
from tuner.search import baselines, forecast, session, sharing
from tuner.search.probing import Measured, Subjects
from tuner.selection.racing import FIRST_LOOK
from tuner.spec import StudySpec

_EPOCH_SECONDS = 0.03
"""What the driver takes for an epoch's result (storage, decision, the next step) while the trial waits for it."""

_TRIAL_SECONDS = 0.3
"""What the driver takes to hand out a trial, beside what the trial itself needs to begin."""

_GIB = 2**30
_USABLE_MEMORY = 0.9


@dataclass(frozen=True)
class Tried:
    """What was found of a study by trying it; `places` is how many trials run at a time."""

    shared: sharing.Shared
    split: Split
    nodes: tuple[session.Node, ...]
    places: int
    subjects: Subjects
    unmixed: Measured
    mixed: Measured | None


@dataclass(frozen=True)
class Work:
    """One phase's trainings, their epochs (at most, as expected, between which they probably lie), and hours."""

    trials: int
    most: int
    expected: float
    low: int
    high: int
    most_hours: float
    expected_hours: float


@dataclass(frozen=True)
class Disk:
    """What the study's checkpoints take at most, and what is free."""

    checkpoint_bytes: int
    network_bytes: int
    most_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Plan:
    """What a study will cost. `never` says why none of its trials would ever be scheduled; then nothing was tried."""

    study: str
    nodes: int
    cpus: float
    gpus: float
    never: str = ""
    places: int = 0
    trial_cpus: int = 0
    trial_gpus: float = 0.0
    unmixed: Measured | None = None
    mixed: Measured | None = None
    methods: tuple[str, ...] = ()
    epoch_seconds: float = 0.0
    search: Work | None = None
    confirmation: Work | None = None
    disk: Disk | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def memory(self) -> trial.Memory | None:
        """Return the most memory that any of the tried trials took."""
        tried = [one.memory for one in (self.unmixed, self.mixed) if one is not None]
        return max(tried, key=lambda one: one.peak_bytes + one.context_bytes, default=None)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        plain = {key: value for key, value in vars(self).items() if key not in {"unmixed", "mixed", "methods"}}
        parts = {key: None if value is None else asdict(value) for key, value in self._parts().items()}
        tried = {"none": self.unmixed.paces[0].as_json()} if self.unmixed else {}
        if self.mixed:
            again = zip(self.methods, self.mixed.paces, strict=True)
            tried |= {name: pace.as_json() for name, pace in again if name != "none"}
        device = self.unmixed.device if self.unmixed else None
        memory = None if self.memory is None else asdict(self.memory)
        return {**plain, **parts, "device": device, "memory": memory, "methods": tried}

    def _parts(self) -> dict[str, Any]:
        return {"search": self.search, "confirmation": self.confirmation, "disk": self.disk}


def estimated(tried: Tried, trials: int) -> Plan:
    """Return what a study of so many trials will cost by what one was seen to take."""
    spec, unmixed = tried.shared.spec, tried.unmixed
    configs = forecast.drawn(spec)
    usual = _Seconds(tried)
    epoch_seconds = sum(map(usual.epoch, configs)) / len(configs)
    expected = forecast.epochs(spec, configs, trials)
    most, least = _confirmation(spec)
    to_the_end = forecast.Epochs(most, most * spec.epochs, most * spec.epochs, least * spec.epochs, most * spec.epochs)
    works = [_work(one, epoch_seconds, _start_seconds(tried), tried.places) for one in (expected, to_the_end)]
    found = Plan(
        spec.name,
        len(tried.nodes),
        sum(node.cpus for node in tried.nodes),
        sum(node.gpus for node in tried.nodes),
        places=tried.places,
        trial_cpus=spec.resources.cpus,
        trial_gpus=spec.resources.gpus_known,
        unmixed=unmixed,
        mixed=tried.mixed,
        methods=tuple(str(one["mixing"]["name"]) for one in tried.subjects.mixed),
        epoch_seconds=epoch_seconds,
        search=works[0],
        confirmation=works[1] if most else None,
        disk=_disk(spec, unmixed.paces[0], tried.places, most),
        notes=tuple(filter(None, [tried.shared.words])),
    )
    own = [tried.shared.warning] if tried.shared.warning else []
    return replace(found, warnings=(*own, *_warnings(spec, found, tried.nodes)))


def _start_seconds(tried: Tried) -> float:
    """Return what a trial needs before its first step, without what only a process's first one pays for."""
    paces = [*tried.unmixed.paces, *(tried.mixed.paces if tried.mixed is not None else ())]
    return min(one.start_seconds for one in paces) + _TRIAL_SECONDS


def _work(epochs: forecast.Epochs, epoch_seconds: float, start_seconds: float, places: int) -> Work:
    def hours(wanted: float) -> float:
        a_training = wanted / max(1, epochs.trials) * (epoch_seconds + _EPOCH_SECONDS)
        busy = epochs.trials * (start_seconds + a_training) / places
        idle = a_training * (places - 1) / (2 * places)  # at the end some places have nothing left to do
        return (busy + idle) / 3600

    return Work(**asdict(epochs), most_hours=hours(epochs.most), expected_hours=hours(epochs.expected))


class _Seconds:
    """Seconds of an epoch of any configuration of a space, by those that were tried."""

    def __init__(self, tried: Tried) -> None:
        split, subjects, unmixed, mixed = tried.split, tried.subjects, tried.unmixed, tried.mixed
        self._shape = trial.image_shape(split), len(split.classes)
        self._largest, self._smallest = unmixed.paces[0], unmixed.paces[-1]
        self._work = subjects.work
        self._examples = len(split.training)
        self._batch: tuple[int, int] = (
            subjects.unmixed[0]["training"]["batch_size"],
            subjects.unmixed[-1]["training"]["batch_size"],
        )
        paces = mixed.paces if mixed is not None else ()
        self._slower = {
            str(config["mixing"]["name"]): pace.step_seconds / paces[0].step_seconds
            for config, pace in zip(subjects.mixed, paces, strict=True)
        }
        self._known: dict[str, float] = {}

    def epoch(self, config: dict[str, Any]) -> float:
        """Return the seconds of an epoch, mixing as often as the configuration does."""
        mixing = config["mixing"]
        slower = self._slower.get(mixing["name"], 1.0) - 1.0
        share = self._share(str(config["model"]), config)
        largest, smallest = self._largest, self._smallest
        an_image = [pace.step_seconds / batch for pace, batch in zip((largest, smallest), self._batch, strict=True)]
        train = self._examples * (share * an_image[0] + (1 - share) * an_image[1])
        evaluate = share * largest.evaluation_seconds + (1 - share) * smallest.evaluation_seconds
        return train * (1 + float(mixing.get("probability", 1.0)) * slower) + evaluate

    def _share(self, model: str, config: dict[str, Any]) -> float:
        """Return how far a network is from the smallest, 0, to the largest, 1, by its work."""
        most, least = self._work
        if most <= least:
            return 1.0
        if model not in self._known:
            self._known[model] = (trial.forward_work(config, *self._shape) - least) / (most - least)
        return max(0.0, min(1.0, self._known[model]))


def _confirmation(spec: StudySpec) -> tuple[int, int]:
    """Return how many trainings on fresh seeds there are at most, and where all but one rival is dropped at once."""
    seeds = spec.confirm.seeds
    if not seeds:
        return 0, 0
    published = len(baselines.blocks(spec)) > 1
    policies = min(spec.confirm.finalists, max(1, spec.search.trials - 1)) + published
    return (1 + policies) * seeds, 2 * seeds + (policies - 1) * min(FIRST_LOOK, seeds)


def _disk(spec: StudySpec, pace: trial.Pace, places: int, trainings: int) -> Disk:
    """Return the most that lies on disk at a time: running trials' checkpoints, twice while one is replaced."""
    waiting = spec.search.trials if spec.scheduler.promote else 0
    networks = 1 + places + (trainings // max(1, spec.confirm.seeds) if trainings else 0)
    most = (2 * places + waiting) * pace.state_bytes + networks * pace.model_bytes
    folder = home()
    nearest = next(place for place in (folder, *folder.parents) if place.is_dir())
    return Disk(pace.state_bytes, pace.model_bytes, most, shutil.disk_usage(nearest).free)


def _warnings(spec: StudySpec, found: Plan, nodes: Sequence[session.Node]) -> Iterator[str]:
    search, memory, disk, limits = found.search, found.memory, found.disk, spec.limits
    if search is None or memory is None or disk is None:
        return
    if limits.hours is not None and search.expected_hours > limits.hours:
        share = limits.hours / search.expected_hours
        yield f"limits.hours: {limits.hours:g} ends the search after about {share:.0%} of its epochs"
    if limits.epochs is not None and search.expected > limits.epochs:
        yield f"limits.epochs: {limits.epochs} ends the search before its {search.expected:.0f}"
    if disk.most_bytes > disk.free_bytes:
        yield (
            f"checkpoints may take {disk.most_bytes / _GIB:.1f} GiB, and {disk.free_bytes / _GIB:.1f} are free: free "
            "disk, or set limits.checkpoint_gigabytes"
        )
    yield from _overfull(spec, memory) if spec.resources.gpus_known else _crowded(spec, memory, nodes)


def _overfull(spec: StudySpec, memory: trial.Memory) -> Iterator[str]:
    """Say where the trials that share a GPU would not fit into its memory."""
    gpus = spec.resources.gpus_known
    need = int(1 / min(1.0, gpus) + 1e-9) * (memory.peak_bytes + memory.context_bytes)
    if memory.total_bytes and need > memory.total_bytes:
        yield (
            f"resources.gpus: {gpus:g} puts {need / _GIB:.1f} GiB on a GPU of {memory.total_bytes / _GIB:.1f}: set "
            "resources.gpus: auto"
        )


def _crowded(spec: StudySpec, memory: trial.Memory, nodes: Sequence[session.Node]) -> Iterator[str]:
    """Say where trials side by side would not fit into a node's memory."""
    for node in nodes:
        here = session.room([node], spec.resources.cpus, 0, spec.resources.concurrent)
        need = here * memory.peak_bytes + memory.shared_bytes
        if node.memory_bytes and need > _USABLE_MEMORY * node.memory_bytes:
            fits = max(1, int((_USABLE_MEMORY * node.memory_bytes - memory.shared_bytes) // memory.peak_bytes))
            yield (
                f"{here} trials at a time need {need / _GIB:.1f} GiB of memory, and a node has "
                f"{node.memory_bytes / _GIB:.1f} for them: set resources.concurrent: {fits}"
            )
            return
