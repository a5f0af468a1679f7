"""One trial tried on a connected Ray, in processes of its own: what it takes, before a study pays for it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch

from tuner import space, trial
from tuner.datasets import Split
from tuner.errors import StudyFailed
from tuner.imported import in_words
from tuner.spec import StudySpec

_SECONDS = 900.0
"""How long a trial's first steps may take, from when their process has its place."""

_LOOK_SECONDS = 2.0

_ALIKE = 1.2
"""Two networks whose work differs by less than this are measured as one."""


@dataclass(frozen=True)
class Measured:
    """What processes of one kind took: the paces in the order of the configurations, and the most memory of any."""

    paces: tuple[trial.Pace, ...]
    memory: trial.Memory
    device: str


@dataclass(frozen=True)
class Subjects:
    """What is tried: no mixing with the largest network and with the smallest, and every method at its dearest.

    `work` is that of the largest and of the smallest network for an image; the methods go with the largest. They come
    after no mixing, which is measured again beside them: so what else the machine does bears on both.
    """

    unmixed: tuple[Mapping[str, Any], ...]
    mixed: tuple[Mapping[str, Any], ...]
    work: tuple[float, float]


@dataclass(frozen=True)
class Waiting:
    """How a place is waited for: `note` is told so, and with no words when it has come; inside `leaving` others go."""

    note: Callable[[str], None]
    leaving: Callable[[], AbstractContextManager[None]] = nullcontext


AT_ONCE = Waiting(lambda _: None)


def subjects(spec: StudySpec, split: Split) -> Subjects:
    """Return what a study's space has to be tried for."""
    configs = [trial.resolve(corner.config) for corner in space.corners(spec.trial)]
    image, classes = trial.image_shape(split), len(split.classes)
    works: dict[str, float] = {}
    for config in configs:
        if (model := str(config["model"])) not in works:
            works[model] = trial.forward_work(config, image, classes)

    def load(config: Mapping[str, Any]) -> float:
        return works[str(config["model"])] * float(config["training"]["batch_size"])

    largest, smallest = max(configs, key=load), min(configs, key=lambda config: works[str(config["model"])])
    work = works[str(largest["model"])], works[str(smallest["model"])]
    plain = trial.resolve({**largest, "mixing": {"name": "none"}})
    unmixed = [plain]
    if work[0] > _ALIKE * work[1]:
        unmixed.append(trial.resolve({**smallest, "mixing": {"name": "none"}}))
    blocks: dict[str, Mapping[str, Any]] = {}
    for mixing in (config["mixing"] for config in configs):
        known = blocks.get(mixing["name"])
        if mixing["name"] != "none" and (known is None or _cost(mixing) > _cost(known)):
            blocks[mixing["name"]] = mixing
    mixed = tuple({**plain, "mixing": trial.always_mixing(block)} for block in blocks.values())
    return Subjects(tuple(unmixed), (plain, *mixed) if mixed else (), work)


def probe(
    spec: StudySpec,
    split: Split,
    configs: Sequence[Mapping[str, Any]],
    *,
    gpus: float,
    copies: int = 1,
    waiting: Waiting = AT_ONCE,
) -> Measured:
    """Try configurations one after another, in `copies` processes at a time that have a trial's CPUs and GPUs each.

    The first waits for its place as long as others have it; of the rest those take part that have theirs then.

    Raises:
        StudyFailed: a process died, as where memory runs out, or the training raised.
    """
    import ray  # seconds to import
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    from tuner.search.tune import for_trials  # needs a connected Ray

    cpus = spec.resources.cpus
    task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_calls=1, max_retries=0)(_measured)
    data = ray.put(for_trials(split))
    places = [placement_group([{"CPU": cpus, **({"GPU": gpus} if gpus else {})}]) for _ in range(copies)]
    try:
        with waiting.leaving():
            _await(places[0], f"waiting: {cpus:g} CPUs and {gpus:g} GPUs are not free to try a trial on", waiting.note)
        there = [places[0], *(one for one in places[1:] if one.wait(_LOOK_SECONDS))]
        strategies = [PlacementGroupSchedulingStrategy(one) for one in there]
        arguments = list(configs), data, spec.seed, cpus, gpus > 0
        asked = [task.options(scheduling_strategy=one).remote(*arguments) for one in strategies]
        found: list[Measured] = ray.get(asked, timeout=_SECONDS)
    except ray.exceptions.GetTimeoutError as error:
        raise StudyFailed(f"a trial's first steps took more than {_SECONDS / 60:.0f} minutes") from error
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        raise StudyFailed(f"the trial that was tried broke: {in_words(cause) if cause else _first(error)}") from error
    finally:
        for place in places:
            remove_placement_group(place)  # with what still runs there
    return Measured(
        tuple(map(_typical, zip(*(one.paces for one in found), strict=True))), _most(found), found[0].device
    )


def _await(place: Any, words: str, note: Callable[[str], None]) -> None:
    """Wait until Ray has made a place; `note` is told so where that takes longer than a moment."""
    if place.wait(_LOOK_SECONDS):
        return
    note(words)
    while not place.wait(_LOOK_SECONDS):
        pass
    note("")


def _measured(configs: Sequence[Mapping[str, Any]], split: Split, seed: int, cpus: int, wants_gpu: bool) -> Measured:
    torch.set_num_threads(cpus)
    device = torch.device("cuda" if wants_gpu and torch.cuda.is_available() else "cpu")
    paces = tuple(trial.measure(config, split, seed, device) for config in configs)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return Measured(paces, trial.memory(device), name)


def _cost(mixing: Mapping[str, Any]) -> tuple[float, float, int, int]:
    cost = trial.policy_cost(mixing)
    return cost.extra_backward, cost.extra_forward, cost.count, max(mixing.get("depths") or [0])


def _typical(paces: Sequence[trial.Pace]) -> trial.Pace:
    """Return the middle of what several processes took for the same."""
    timed = ("step_seconds", "evaluation_seconds", "start_seconds")
    return replace(paces[0], **{key: statistics.median(getattr(one, key) for one in paces) for key in timed})


def _most(found: Sequence[Measured]) -> trial.Memory:
    return max((one.memory for one in found), key=lambda memory: memory.peak_bytes + memory.context_bytes)


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
