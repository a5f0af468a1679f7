"""Every mixing method beside copying a batch, and beside the libraries that have it; CPU time, one thread.

Timed is what a training step does: draw the mixture, mix the images, make the targets. Saliency is made beforehand (its
extra passes are the model's), apart from the free centre-surround one. Rivals are compared on the same law only: one
ratio and mask a batch, or one an example. timm writes to the batch that it is given, so it is timed with a copy, too.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from measure import Target, arguments, in_turns, median_ratio, per_call, print_document  # before torch: one thread
from official import patchup_centres, patchup_pooling_the_whole_batch
from rivals import Batch, rivals

from tuner.catalog import resolve
from tuner.mixing import METHODS, Guide, Policy
from tuner.mixing.saliency import as_shares, centre_surround

SHAPES = {"128x3x32x32": (128, 3, 32, 32), "64x3x64x64": (64, 3, 64, 64)}
MAPS = (128, 64, 32, 32)
CLASSES = 10
PUZZLES = {f"puzzlemix, {blocks} blocks": {"name": "puzzlemix", "blocks": [blocks]} for blocks in (2, 4, 8, 16)}
NOT_OF_IMAGES = {"none", "switch", "patchup"}
LIBRARIES = ("torchvision", "timm", "PyPI")

Run = Callable[[], object]


def main() -> None:
    parser = arguments("mixing a batch against copying it, and against other libraries")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--calls", type=int, default=10, help="calls timed together (default 10)")
    options = parser.parse_args()
    rounds, calls = (2, 1) if options.quick else (options.rounds, options.calls)
    torch.set_num_threads(1)
    settle_allocator()
    timed = {name: timings(of_images(Batch.random(shape, CLASSES)), rounds, calls) for name, shape in SHAPES.items()}
    timed["128x64x32x32"] = timings(of_maps(), rounds, 1)
    small = timed["128x3x32x32"]
    print_document(
        "mixing",
        options.quick,
        targets(small, timed["128x64x32x32"]),
        setting={"dtype": "float32", "rounds": rounds, "calls_a_round": calls, "clock": "process CPU"},
        median_milliseconds={shape: milliseconds(seconds) for shape, seconds in timed.items()},
        times_of_copying={shape: by_copy(seconds) for shape, seconds in timed.items()},
        rivals_by_ours={shape: by_ours(seconds) for shape, seconds in timed.items()},
    )


def timings(variants: Mapping[str, Run], rounds: int, calls: int) -> dict[str, list[float]]:
    """Return the seconds of one call of each variant, in every round."""
    repeated = {name: per_call(run, calls) for name, run in variants.items()}
    found = in_turns(repeated, rounds, clock=time.process_time)
    return {name: [seconds / calls for seconds in values] for name, values in found.items()}


def of_images(batch: Batch) -> dict[str, Run]:
    """Return every input method, per batch and per example, and the rivals."""
    rng = torch.Generator().manual_seed(0)
    room = torch.empty_like(batch.images)
    variants: dict[str, Run] = {"copy_": lambda: room.copy_(batch.images)}
    for name, config in configurations().items():
        policy = METHODS.build(resolve(METHODS, config))
        variants[name] = partial(step, policy, batch, guide_of(policy, batch), rng)
    return variants | rivals(batch)


def configurations() -> dict[str, dict[str, Any]]:
    """Return the policies to time by name; "per batch" and "per example" say how the ratio is drawn."""
    found: dict[str, dict[str, Any]] = {}
    for name, entry in METHODS.items():
        if name in NOT_OF_IMAGES or entry.facts.guided_by is not None:
            continue
        if any(parameter.name == "ratio" for parameter in entry.parameters):
            beta = {"name": "beta", "alpha": 1.0}
            found[f"{name} per example"] = {"name": name, "ratio": beta}
            found[f"{name} per batch"] = {"name": name, "ratio": {**beta, "per": "batch"}}
        else:
            found[name] = {"name": name}
    for count in (2, 3, 4, 10):
        found[f"mixup of {count}"] = {"name": "mixup", "ratio": {"name": "dirichlet", "count": count}}
    for name, config in PUZZLES.items():
        found |= {name: config, f"{name}, no transport": {**config, "transport": False}}
    return {name: config for name, config in found.items() if not name.startswith("puzzlemix per")}


def of_maps() -> dict[str, Run]:
    """Return PatchUp on a hidden map, ours and with the mask pooled over the whole batch, as the authors do."""
    rng = torch.Generator().manual_seed(0)
    batch = Batch.random(MAPS, CLASSES)
    room = torch.empty_like(batch.images)
    variants: dict[str, Run] = {"copy_": lambda: room.copy_(batch.images)}
    for mode, gamma in (("hard", 0.5), ("soft", 0.75)):
        policy = METHODS.build(resolve(METHODS, {"name": "patchup", "mode": mode}))
        variants[f"patchup {mode}"] = partial(step, policy, batch, None, rng)
        variants[f"pooling the whole batch, patchup {mode}"] = partial(official_patchup, batch, mode, gamma, rng)
    return variants


def official_patchup(batch: Batch, mode: str, gamma: float, rng: torch.Generator) -> object:
    """Do what the authors' code does with a batch: draw, pool, mix; the targets are left out."""
    centres = patchup_centres(batch.images.shape[1:], gamma, 7, rng)
    others = torch.randperm(len(batch.images), generator=rng)
    ratio = float(torch.rand((), generator=rng)) if mode == "soft" else None
    return patchup_pooling_the_whole_batch(batch.images, others, centres, 7, ratio)


def step(policy: Policy, batch: Batch, guide: Guide | None, rng: torch.Generator) -> object:
    """Do what a training step does with a batch before the network."""
    drawn = policy.draw(len(batch.images), rng)
    if drawn is None:
        raise ValueError("the policy was to mix every batch; set probability to 1")
    mixed, mixture = drawn.apply(batch.images, rng, guide)
    return mixed, mixture.targets(batch.labels, CLASSES)


def guide_of(policy: Policy, batch: Batch) -> Guide | None:
    """Return a guide with content everywhere: what it says changes no method's time."""
    if policy.methods()[0].saliency is None:
        return None
    maps = centre_surround(torch.nn.Identity(), batch.images, batch.labels)
    return Guide(as_shares(maps), torch.ones(batch.images.shape[1], 1, 1))


def targets(small: Mapping[str, list[float]], maps: Mapping[str, list[float]]) -> list[Target]:
    """Return what the issue asks for."""
    fmix = 1e3 * statistics.median(small["fmix per example"])
    found = [
        Target("cutmix per example: timm's elem by ours", by_ours(small)["timm cutmix per example"], 4, 6),
        Target("fmix per example, ms at 128x3x32x32", fmix, 3, 2, better="lower"),
    ]
    for mode in ("hard", "soft"):
        ratio = median_ratio(maps[f"pooling the whole batch, patchup {mode}"], maps[f"patchup {mode}"])
        found.append(Target(f"patchup {mode}: pooling the whole batch by ours", ratio, 8, 10))
    for name in PUZZLES:
        wanted = 60 if name.endswith("16 blocks") else 20
        found.append(Target(f"{name}, ms", 1e3 * statistics.median(small[name]), wanted, wanted / 2, better="lower"))
    compared = by_ours(small)
    for law in {name.split(" ", 1)[1] for name in compared}:
        slowest = min(ratio for name, ratio in compared.items() if name.split(" ", 1)[1] == law)
        found.append(Target(f"{law}: the fastest rival by ours", slowest, 1, 1.5))
    return found


def by_ours(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    """Return each rival's time by ours on the same law; a rival is named "library law"."""
    laws = {
        name: name.split(" ", 1)[-1] for name in seconds if name.split(" ", 1)[0] in {"torchvision", "timm", "PyPI"}
    }
    return {name: median_ratio(seconds[name], seconds[law]) for name, law in laws.items()}


def by_copy(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    """Return each variant's time by that of copying the batch."""
    return {name: median_ratio(values, seconds["copy_"]) for name, values in seconds.items()}


def milliseconds(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    """Return each variant's median."""
    return {name: 1e3 * statistics.median(values) for name, values in seconds.items()}


def settle_allocator() -> None:
    """Free a large tensor once, as a training process does with its activations.

    glibc keeps freed memory up to twice the largest block it has seen freed. Without this it gives the mixed batch of
    every call back to the kernel and takes it again page by page, which no training with a real network does.
    """
    torch.empty(30 * 2**20, dtype=torch.uint8)


if __name__ == "__main__":
    main()
