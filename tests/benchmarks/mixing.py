"""Mixing a batch of 128 x 3 x 32 x 32 against copying it into a tensor that is there already; CPU time, one thread.

`draw` is the policy's draw (sources and ratios), `targets` the mixed targets. torchvision's transforms mix images and
labels in one call, one ratio a batch, so they are to be compared with `draw + apply + targets`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from measure import Target, arguments, in_turns, median_ratio, per_call, print_document  # before torch: one thread
from torchvision.transforms import v2

from tuner.catalog import resolve
from tuner.mixing import METHODS, Policy

SHAPE = (128, 3, 32, 32)
CLASSES = 10
BETA = {"name": "beta", "alpha": 1.0}
POLICIES = {
    "mixup": {"name": "mixup", "ratio": BETA},
    "mixup of 3": {"name": "mixup", "ratio": {"name": "dirichlet", "count": 3}},
    "mixup of 4": {"name": "mixup", "ratio": {"name": "dirichlet", "count": 4}},
    "cutmix": {"name": "cutmix", "ratio": BETA},
}


def main() -> None:
    parser = arguments("mixing a batch against copying it")
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--calls", type=int, default=100, help="calls timed together (default 100)")
    options = parser.parse_args()
    rounds, calls = (3, 5) if options.quick else (options.rounds, options.calls)
    torch.set_num_threads(1)
    settle_allocator()
    variants = {name: per_call(run, calls) for name, run in all_variants().items()}
    seconds = in_turns(variants, rounds, warmups=1 if options.quick else 3, clock=time.process_time)
    ratios = {name: median_ratio(values, seconds["copy_"]) for name, values in seconds.items()}
    print_document(
        "mixing",
        options.quick,
        [
            Target("mixup, draw + apply, by copy_", ratios["mixup, draw + apply"], 5, 3, better="lower"),
            Target("mixup, apply alone, by copy_", ratios["mixup, apply"], 5, 3, better="lower"),
        ],
        setting={"shape": SHAPE, "dtype": "float32", "rounds": rounds, "calls_a_round": calls, "clock": "process CPU"},
        median_microseconds={name: 1e6 * statistics.median(values) / calls for name, values in seconds.items()},
        ratios_to_copy=ratios,
        ratios_of_torchvision_to_ours={
            name: median_ratio(seconds[f"torchvision {name}"], seconds[f"{name}, draw + apply + targets"])
            for name in ("mixup", "cutmix")
        },
    )


def settle_allocator() -> None:
    """Free a large tensor once, as a training process does with its activations.

    glibc keeps freed memory up to twice the largest block it has seen freed. Without this it gives the mixed batch of
    every call back to the kernel and takes it again page by page, which no training with a real network does.
    """
    torch.empty(30 * 2**20, dtype=torch.uint8)


def all_variants() -> dict[str, Callable[[], object]]:
    """Return every variant by name; `copy_` is what they are measured by."""
    rng = torch.Generator().manual_seed(0)
    images = torch.randn(SHAPE, generator=rng)
    labels = torch.randint(CLASSES, (SHAPE[0],), generator=rng)
    room = torch.empty_like(images)
    variants: dict[str, Callable[[], object]] = {"copy_": lambda: room.copy_(images)}
    for name, config in POLICIES.items():
        policy = METHODS.build(resolve(METHODS, config))
        variants |= of_policy(name, policy, images, labels, rng)
        last = images.to(memory_format=torch.channels_last)
        variants[f"{name}, draw + apply, channels last"] = lambda policy=policy, last=last: mixed(policy, last, rng)
    for name, transform in (("mixup", v2.MixUp(num_classes=CLASSES)), ("cutmix", v2.CutMix(num_classes=CLASSES))):
        variants[f"torchvision {name}"] = lambda transform=transform: transform(images, labels)
    return variants


def of_policy(
    name: str, policy: Policy, images: torch.Tensor, labels: torch.Tensor, rng: torch.Generator
) -> dict[str, Callable[[], object]]:
    """Return one policy's steps, alone and together."""
    drawn = policy.draw(len(images), rng)
    if drawn is None:
        raise ValueError(f"{name} was to mix every batch; set probability to 1")
    mixture, _ = drawn
    return {
        f"{name}, draw": lambda: policy.draw(len(images), rng),
        f"{name}, apply": lambda: policy.apply(images, mixture, rng),
        f"{name}, draw + apply": lambda: mixed(policy, images, rng),
        f"{name}, draw + apply + targets": lambda: mixed(policy, images, rng)[1].targets(labels, CLASSES),
    }


def mixed(policy: Policy, images: torch.Tensor, rng: torch.Generator) -> tuple:
    """Return what a training step makes of a batch: mixed images and the mixture."""
    drawn = policy.draw(len(images), rng)
    if drawn is None:
        raise ValueError("the policy was to mix every batch; set probability to 1")
    return policy.apply(images, drawn[0], rng)


if __name__ == "__main__":
    main()
