"""A policy at work in one model, for what it mixes at hidden layers or is guided by the model's gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tuner.models import it_has, mixing_at, stages, with_stages
from tuner.policies.step import Step

if TYPE_CHECKING:
    from tuner.policies.loaded import LoadedPolicy
else:
    LoadedPolicy = Any  # named in an annotation that is read at run time, where it would import in a circle


class Attached:
    """A model's forward passes with mixing: `logits, targets = attached(images, labels)`.

    It mixes in the passes that are asked of it and in no others: `model(images)` is what it was, in training as well.
    `detach`, or the end of a `with` block, leaves nothing on the model but the names of its stages.
    """

    def __init__(self, policy: LoadedPolicy, model: nn.Module, names: Sequence[str] = ()) -> None:
        self.policy = policy
        self.model = model
        self._guards: dict[int, RemovableHandle] = {}
        deepest = max(policy.hidden_depths, default=0)
        wanted = names or (() if stages(model) or not deepest else policy.file.stages)
        if wanted:
            with_stages(model, wanted)
        known = list(stages(model))
        if deepest > len(known):
            has = f"has the stages {', '.join(known)} alone" if known else "has no stages"
            raise ValueError(
                f"this policy mixes at depths up to {deepest}, and {type(model).__name__} {has}; name as many "
                f"submodules in policy.attach(model, stages=[...]): {it_has(model)}"
            )

    def __call__(
        self, images: Tensor, labels: Tensor, *, rng: torch.Generator | None = None, epochs_left: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the model's logits of a mixed batch, and its targets; the arguments are `LoadedPolicy`'s.

        Raises:
            ValueError: as `LoadedPolicy` does; and in backward, where activation checkpointing runs a mixed stage again
                (`step` is for that).
        """
        with self._forward(images, labels, rng, epochs_left) as (step, logits):
            targets = step.targets()
        self._guard(step.depth)
        return logits, targets

    @contextmanager
    def step(
        self, images: Tensor, labels: Tensor, *, rng: torch.Generator | None = None, epochs_left: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Give logits and targets for a block that calls backward, which activation checkpointing needs.

        What it runs again there is mixed again alike. Without checkpointing there is no need for the block.
        """
        self.detach()
        with self._forward(images, labels, rng, epochs_left) as (step, logits):
            yield logits, step.targets()

    def detach(self) -> None:
        """Take off the model what `attached(...)` left there: a look whether stages run again in backward."""
        for guard in self._guards.values():
            guard.remove()
        self._guards.clear()

    def __enter__(self) -> Attached:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    @contextmanager
    def _forward(
        self, images: Tensor, labels: Tensor, rng: torch.Generator | None, epochs_left: int | None
    ) -> Iterator[tuple[Step, Tensor]]:
        rng = self.policy.generator(rng)
        step = self.policy.begin(images, labels, self.model, rng, epochs_left)
        with mixing_at(self.model, step.depth, step.mix, rng) as forward:
            yield step, forward(images)

    def _guard(self, depth: int) -> None:
        if depth and depth not in self._guards:
            stage = list(stages(self.model).values())[depth - 1]
            self._guards[depth] = stage.register_forward_hook(_refuse_in_backward)


def _refuse_in_backward(stage: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
    """Refuse to run a stage again that was mixed: unmixed this time, its gradients would be wrong (a forward hook)."""
    if not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1:
        raise ValueError(
            "activation checkpointing runs a mixed stage again in backward: call backward within "
            "`with attached.step(images, labels) as (logits, targets):`"
        )
