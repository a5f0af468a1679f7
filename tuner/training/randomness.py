"""The random streams of one trial: separate, seeded, and kept apart from everybody else's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

_STREAMS = ("order", "augment", "mixing")


class RandomStreams:
    """One CPU generator each for data order, augmentation and mixing, and torch's global state for the rest.

    Apart, so that two policies with the same seed see the same order of data and start from the same weights.
    Dropout and initial weights use torch's global generators, which users' models draw from: `own` lends them
    this trial's state and gives the process its own back.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        seeds = np.random.SeedSequence(seed).generate_state(len(_STREAMS) + 1, np.uint64).tolist()
        self.device = device
        self.order, self.augment, self.mixing = (
            torch.Generator().manual_seed(int(value % 2**63)) for value in seeds[:-1]
        )
        self._global = _fresh_global_state(int(seeds[-1] % 2**63), device)

    @contextmanager
    def own(self) -> Iterator[None]:
        """Run with this trial's global state, and leave the process as it was."""
        with _preserved(self.device):
            _set_global_state(self._global, self.device)
            yield
            self._global = _global_state(self.device)

    def state(self) -> dict[str, Tensor]:
        """Return every stream's state."""
        return {name: getattr(self, name).get_state() for name in _STREAMS} | self._global

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue every stream where `state` was taken."""
        for name in _STREAMS:
            getattr(self, name).set_state(state[name])
        self._global = {name: value for name, value in state.items() if name not in _STREAMS}


@contextmanager
def _preserved(device: torch.device) -> Iterator[None]:
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


def _fresh_global_state(seed: int, device: torch.device) -> dict[str, Tensor]:
    """Return the global state that a seed gives, without seeding anything global (`torch.manual_seed` seeds all)."""
    state = {"global": torch.Generator().manual_seed(seed).get_state()}
    if device.type == "cuda":
        state["cuda"] = torch.Generator(device).manual_seed(seed).get_state()
    return state


def _global_state(device: torch.device) -> dict[str, Tensor]:
    state = {"global": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def _set_global_state(state: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["global"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
