"""Mixing where a DataLoader puts its batches together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils.data import default_collate


@dataclass(frozen=True)
class Collate:
    """A `collate_fn`: `inner` makes images and labels out of examples, and `mix` mixes them.

    An object and no function of a function, so that it can travel to workers that were not forked.
    """

    mix: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    inner: Callable[[list[Any]], Any] | None = None

    def __call__(self, examples: list[Any]) -> tuple[Tensor, Tensor]:
        """Return mixed images and their targets.

        Raises:
            ValueError: the examples do not make a pair of images and labels.
        """
        batch = (self.inner or default_collate)(examples)
        if not isinstance(batch, list | tuple) or len(batch) != 2:
            wanted = "wanted a pair of images and labels from collate_fn"
            raise ValueError(f"{wanted}, got {type(batch).__name__}; give one that returns them, in this order")
        images, labels = batch
        return self.mix(images, labels)
