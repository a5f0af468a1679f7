"""Where a policy's random numbers come from when the caller gives no generator."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import get_worker_info


class Draws:
    """A generator for the process it is used in: each worker of a DataLoader has its own, and a new one each epoch.

    Without a `seed` it follows from torch's: `torch.manual_seed` makes it repeatable, and nothing is drawn from torch's
    own generator. With one it does not depend on torch's, but in a worker, whose seed the DataLoader draws.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed
        self._worker: int | None = None
        self._generator: torch.Generator | None = None

    def generator(self) -> torch.Generator:
        """Return this process's generator, made at its first use."""
        information = get_worker_info()
        worker = None if information is None else int(information.seed)
        if self._generator is None or worker != self._worker:
            self._worker, self._generator = worker, self._seeded(worker)
        return self._generator

    def _seeded(self, worker: int | None) -> torch.Generator:
        own = torch.initial_seed() if self.seed is None else self.seed
        # Not torch's seed itself, or mixing would draw the numbers that cropping and flipping draw.
        words = [own % 2**64] if worker is None else [own % 2**64, worker % 2**64]
        state = np.random.SeedSequence(words).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(state[0] % 2**63))
