"""Our batched solvers against what they stand for: how far from the graph cut PuzzleMix's masks are, and their price.

The cases are FashionMNIST images, padded to 32 x 32, with input gradients of a small network trained on them; the
graph cut is alpha-beta swap on integers, as in the official code (gco). Energies are compared in float64. The times are
process CPU time for mixing 128 x 3 x 32 x 32, without the pass that makes the saliency.
"""

from __future__ import annotations

import statistics
import sys
import time
from functools import partial
from pathlib import Path

import torch
from measure import Target, arguments, in_turns, print_document  # before torch: one thread

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.mixing.oracle_cases import BLOCKS, compared, guided_images, random_mixture, real_energy
from tuner.mixing.base import Guide
from tuner.mixing.puzzlemix import puzzlemix

BATCH = 128
MILLISECONDS = {2: 20.0, 4: 20.0, 8: 20.0, 16: 60.0}


def main() -> None:
    parser = arguments("PuzzleMix's solver against the official graph cut")
    parser.add_argument("--cases", type=int, default=512, help="pairs of images for each number of blocks")
    parser.add_argument("--steps", type=int, default=600, help="batches to train the network whose gradients are used")
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    cases, steps, rounds = (BATCH, 20, 3) if options.quick else (options.cases, options.steps, options.rounds)
    torch.set_num_threads(1)
    torch.empty(30 * 2**20, dtype=torch.uint8)  # as in mixing.py: lets the allocator keep what it has
    energies = {blocks: compared(real_energy(blocks, cases, steps)) for blocks in BLOCKS}
    milliseconds = timed(cases, steps, rounds)
    print_document(
        "oracles",
        options.quick,
        [
            *(Target(f"{n} blocks, mean excess", energies[n]["mean_excess"], 1e-4, 0, better="lower") for n in BLOCKS),
            *(
                Target(f"{n} blocks, worse by 0.1 %", energies[n]["share_worse_by_0.1%"], 0.01, 0, better="lower")
                for n in BLOCKS
            ),
            *(
                Target(f"{n} blocks, ms with transport", milliseconds[n]["transport"], limit, limit / 2, better="lower")
                for n, limit in MILLISECONDS.items()
            ),
        ],
        setting={"cases": cases, "training_steps": steps, "rounds": rounds, "shape": (BATCH, 3, 32, 32)},
        puzzlemix_energy={str(blocks): figures for blocks, figures in energies.items()},
        puzzlemix_milliseconds={str(blocks): times for blocks, times in milliseconds.items()},
    )


def timed(cases: int, steps: int, rounds: int) -> dict[int, dict[str, float]]:
    """Return the median milliseconds for each number of blocks, with transport and without."""
    images, guide = guided_images(cases, steps)
    images, guide = images[:BATCH].repeat(1, 3, 1, 1), Guide(guide.saliency[:BATCH], guide.contrast)
    mixture, rng = random_mixture(BATCH), torch.Generator().manual_seed(0)
    variants = {
        (blocks, transport): partial(puzzlemix, images, mixture, rng, guide, blocks=(blocks,), transport=transport)
        for blocks in BLOCKS
        for transport in (True, False)
    }
    seconds = in_turns(variants, rounds, warmups=3, clock=time.process_time)
    medians = {variant: 1e3 * statistics.median(values) for variant, values in seconds.items()}
    return {n: {"transport": medians[n, True], "no_transport": medians[n, False]} for n in BLOCKS}


if __name__ == "__main__":
    main()
