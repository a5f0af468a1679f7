"""What the benchmarks share: the machine, variants timed in turns, targets, and one JSON document on standard output.

Import this before torch: it is where every benchmark is kept to one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported, and passed on to child processes

Clock = Callable[[], float]


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser with `--quick`, which makes a run that says only whether the benchmark works."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a short run: does the benchmark work at all?")
    return parser


def in_turns(
    variants: Mapping[str, Callable[[], object]], rounds: int, warmups: int = 1, clock: Clock = time.perf_counter
) -> dict[str, list[float]]:
    """Return each variant's seconds in every round; rounds go through all variants, so that noise meets all alike."""
    for _ in range(warmups):
        for run in variants.values():
            run()
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return seconds


def per_call(run: Callable[[], object], calls: int) -> Callable[[], None]:
    """Return a function that runs `run` so many times, for work too short for the clock."""

    def repeated() -> None:
        for _ in range(calls):
            run()

    return repeated


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Return the median over the rounds of one variant's time by another's in the same round."""
    return statistics.median(above / below for above, below in zip(numerators, denominators, strict=True))


@dataclass(frozen=True)
class Target:
    """A number that must reach `wanted` and aims at `aim`; `better` says in which direction."""

    name: str
    value: float
    wanted: float
    aim: float
    better: str = "higher"

    def as_json(self) -> dict[str, Any]:
        """Return the target with whether it and its aim are met."""
        reached = {
            key: self.value >= limit if self.better == "higher" else self.value <= limit
            for key, limit in (("met", self.wanted), ("aim_met", self.aim))
        }
        return {**asdict(self), **reached}


def print_document(name: str, quick: bool, targets: Sequence[Target], **findings: Any) -> None:
    """Print the benchmark's one JSON document."""
    document = {
        "benchmark": name,
        "quick": quick,
        "machine": machine(),
        **findings,
        "targets": [target.as_json() for target in targets],
    }
    print(json.dumps(_rounded(document), indent=2, allow_nan=False))


def machine() -> dict[str, Any]:
    """Return what a number depends on: processor, cores, load, versions."""
    import torch  # after the caller has chosen the number of threads

    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _cpu_model() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def _rounded(value: Any) -> Any:
    """Return the value with its floats at six significant digits."""
    match value:
        case float():
            return float(f"{value:.6g}")
        case dict():
            return {key: _rounded(item) for key, item in value.items()}
        case list() | tuple():
            return [_rounded(item) for item in value]
    return value
