"""What a training costs, measured: seconds a step, of evaluation and to begin, the size of its state, and memory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tuner.datasets import Split
from tuner.training import DeviceSplit, Training
from tuner.trial.run import build, validation_split

_WARM_UP_STEPS = 3
_LEAST_STEPS = 5
_MEASURED_SECONDS = 1.5
_MOST_EPOCHS = 12
_EVALUATED = 2000
"""Images: two of evaluation's batches, so that its memory is what it will be."""


@dataclass(frozen=True)
class Pace:
    """What one configuration's training takes.

    `step_seconds` of a batch, `evaluation_seconds` of the whole validation split, `start_seconds` until the first step;
    `state_bytes` is what a checkpoint holds, `model_bytes` what a trained network does.
    """

    step_seconds: float
    steps: int
    evaluation_seconds: float
    start_seconds: float
    state_bytes: int
    model_bytes: int

    @property
    def epoch_seconds(self) -> float:
        """Return the seconds of one epoch: its steps and the evaluation after them."""
        return self.steps * self.step_seconds + self.evaluation_seconds

    def as_json(self) -> dict[str, float]:
        """Return it as plain values."""
        return {**asdict(self), "epoch_seconds": self.epoch_seconds}


@dataclass(frozen=True)
class Memory:
    """The most that this process held at a time.

    On a CUDA device `peak_bytes` is what torch reserved; `context_bytes` comes on top, once a process, and
    `total_bytes` is what the device has. On the CPU it is resident memory without `shared_bytes`, the libraries and
    images that all processes of a node map alike.
    """

    peak_bytes: int
    context_bytes: int = 0
    shared_bytes: int = 0
    total_bytes: int = 0


def always_mixing(mixing: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mixing block that mixes every batch of every epoch."""
    sure = {"probability": 1.0, "off_epochs": 0}
    return {**mixing, **{key: value for key, value in sure.items() if key in mixing}}


def measure(config: Mapping[str, Any], split: Split, seed: int, device: torch.device) -> Pace:
    """Train a resolved configuration for a few steps after a warm-up, and return what it took.

    All data goes to the device, as in a trial, so that memory is what it will be.
    """
    begun = time.perf_counter()
    whole_validation = validation_split(split, device)
    training = build(config, split, seed, device)
    whole = training.training
    start_seconds = time.perf_counter() - begun
    images, labels = split.validation.images[:_EVALUATED], split.validation.labels[:_EVALUATED]
    validation = DeviceSplit(images, labels, device)
    size = training.recipe.batch_size
    training.training = _first(split, _WARM_UP_STEPS * size, device)
    begun = time.perf_counter()
    training.run_epoch(validation)
    warm_up_seconds = time.perf_counter() - begun
    training.training = _first(split, _steps(warm_up_seconds) * size, device)
    step_seconds, evaluation_seconds = _timed(training, validation)
    state = training.state()  # a copy, as a checkpoint is: it counts for the memory
    return Pace(
        step_seconds,
        -(-len(whole) // size),
        evaluation_seconds * len(whole_validation) / len(validation),
        start_seconds,
        _tensor_bytes(state),
        _tensor_bytes(state["model"]),
    )


def memory(device: torch.device) -> Memory:
    """Return the most memory that this process has held until now."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        others = total - free - torch.cuda.memory_reserved(device)  # ours is the only process, so it is the context
        return Memory(torch.cuda.max_memory_reserved(device), max(0, others), 0, total)
    status, machine = _kibibytes("/proc/self/status"), _kibibytes("/proc/meminfo")
    shared = status.get("RssShmem", 0) + status.get("RssFile", 0)
    # Not getrusage: its peak is handed down from the process that started this one.
    return Memory(max(0, status.get("VmHWM", 0) - shared), 0, shared, machine.get("MemTotal", 0))


def _timed(training: Training, validation: DeviceSplit) -> tuple[float, float]:
    """Return the seconds of a step and of evaluating these images: of several short epochs the middle one's."""
    steps = -(-len(training.training) // training.recipe.batch_size)
    taken: list[tuple[float, float]] = []
    deadline = time.perf_counter() + _MEASURED_SECONDS
    while not taken or (time.perf_counter() < deadline and len(taken) < _MOST_EPOCHS):
        metrics = training.run_epoch(validation)
        trained = len(training.training) / metrics.examples_per_second
        taken.append((trained / steps, metrics.seconds - trained))
    middle = len(taken) // 2
    return sorted(step for step, _ in taken)[middle], sorted(evaluation for _, evaluation in taken)[middle]


def _first(split: Split, examples: int, device: torch.device) -> DeviceSplit:
    return DeviceSplit(split.training.images[:examples], split.training.labels[:examples], device)


def _steps(warm_up_seconds: float) -> int:
    """Return so many steps that they take about a third of the time for measuring."""
    a_step = max(warm_up_seconds, 1e-6) / _WARM_UP_STEPS
    return max(_LEAST_STEPS, min(200, int(_MEASURED_SECONDS / 3 / a_step)))


def _tensor_bytes(state: Any) -> int:
    if isinstance(state, Tensor):
        return state.nbytes
    parts = state.values() if isinstance(state, Mapping) else state if isinstance(state, list | tuple) else ()
    return sum(map(_tensor_bytes, parts))


def _kibibytes(file: str) -> dict[str, int]:
    """Return the lines `name: number kB` of one of Linux's files, in bytes; none on another system."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return {}
    found = (line.partition(":") for line in lines if line.endswith(" kB"))
    return {name: int(value.split()[0]) * 1024 for name, _, value in found}
