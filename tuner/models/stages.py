"""Stages: the parts of a network after which mixing can happen, and the one forward pass that mixes there.

Depth 0 is the image; depth k is what the k-th stage returns. A stage is any submodule, named as PyTorch names it
(`layer1`, `encoder.layers.0`), so that nobody's network has to be rewritten.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from tuner.catalog import nearest

Mix = Callable[[Tensor, torch.Generator], Tensor]

_ATTRIBUTE = "mixing_stages"
_NAMED = 12


def with_stages(model: nn.Module, names: Sequence[str]) -> nn.Module:
    """Return the model itself, its stages now the submodules of these names, in this order.

    Raises:
        ValueError: a name is no submodule's, or stands there twice.
    """
    known = dict(_original(model).named_modules(remove_duplicate=False))
    for name in names:
        if not name or name not in known:
            hint = nearest(name, list(known))
            raise ValueError(f"{type(model).__name__} has no submodule {name!r}{hint}; {it_has(model)}")
    if len(set(names)) < len(names):
        raise ValueError(f"a stage stands in stages twice: {', '.join(names)}")
    setattr(model, _ATTRIBUTE, tuple(names))
    return model


def stages(model: nn.Module) -> Mapping[str, nn.Module]:
    """Return a model's stages by name, in order: those it was given, else a sequence's children but for the last."""
    names = getattr(model, _ATTRIBUTE, None)
    if names is not None:
        return {name: _original(model).get_submodule(name) for name in names}
    original = _original(model)
    return dict(list(original.named_children())[:-1]) if isinstance(original, nn.Sequential) else {}


def it_has(model: nn.Module) -> str:
    """Say which submodules a model has: its children, or some of them."""
    children = [name for name, _ in _original(model).named_children()]
    more = f" and {len(children) - _NAMED} more" if len(children) > _NAMED else ""
    return f"it has {', '.join(children[:_NAMED]) or 'none'}{more}, and what is in them, as layer1.0"


@contextmanager
def mixing_at(model: nn.Module, depth: int, mix: Mix, rng: torch.Generator) -> Iterator[Callable[[Tensor], Tensor]]:
    """Give a function from images to logits that applies `mix` at `depth` once; to be used once, backward inside.

    Inside, because activation checkpointing runs parts of the network again in backward: what is mixed there is mixed
    again alike, `mix` drawing the same from a copy of `rng`. Afterwards, and after an exception, nothing is left on the
    model, so that evaluation sees none of it. A stage that the network calls several times is mixed the first time.

    Raises:
        ValueError: the model has no such depth; its stage is never called, or does not return one tensor with an
            example a row; it is called several times and checkpointed, so that the repeats cannot be told apart.
    """
    if depth == 0:
        yield lambda images: model(mix(images, rng))
        return
    known = stages(model)
    if depth > len(known):
        raise ValueError(f"wanted depth 0 to {len(known)}, got {depth}")
    name, stage = list(known.items())[depth - 1]
    passing = _Pass(name, mix, rng)
    hook = stage.register_forward_hook(passing.after)
    try:
        with _eager():
            yield lambda images: passing.forward(model, images)
    finally:
        hook.remove()


def _original(model: nn.Module) -> nn.Module:
    """Return the network that torch.compile was given, if it was."""
    original = getattr(model, "_orig_mod", model)
    return original if isinstance(original, nn.Module) else model


def _eager() -> AbstractContextManager[object]:
    """Run what was compiled as it was written: compiled code does not look at hooks."""
    # Without this module nothing is compiled; entering it takes 0.05 ms.
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


class _Pass:
    """One forward pass through a hooked stage, and the repeats of that stage after it."""

    def __init__(self, name: str, mix: Mix, rng: torch.Generator) -> None:
        self.name = name
        self.mix = mix
        self.rng = rng
        self.before: torch.Generator | None = None
        self.batch = 0
        self.calls = 0
        self.is_over = False

    def forward(self, model: nn.Module, images: Tensor) -> Tensor:
        if self.calls:
            raise ValueError("mixing_at is for one forward pass; enter it again for the next")
        self.batch = len(images)
        logits: Tensor = model(images)
        self.is_over = True
        if not self.calls:
            raise ValueError(
                f"stage {self.name} is not called when the network runs: name modules that it calls itself (members "
                "of a list, say, and nothing inside a scripted part)"
            )
        return logits

    def after(self, stage: nn.Module, inputs: tuple[Any, ...], output: Any) -> Tensor | None:
        """Mix what the stage returns, if this is its first call or a repeat of it (a forward hook)."""
        if self.is_over:
            return self.mix(output, self._again())
        self.calls += 1
        if self.calls > 1:
            return None
        self._check(output)
        self.before = self.rng.clone_state()
        return self.mix(output, self.rng)

    def _again(self) -> torch.Generator:
        """Return a generator as it was before the first call: the repeat comes from checkpointing, in backward."""
        if self.before is None or self.calls > 1:
            raise ValueError(
                f"stage {self.name} is called {self.calls} times in a step and again by activation checkpointing: the "
                "repeats cannot be told apart; name another stage, or checkpoint less"
            )
        return self.before.clone_state()

    def _check(self, output: Any) -> None:
        if not isinstance(output, Tensor):
            raise ValueError(
                f"stage {self.name} returns a {type(output).__name__}, and mixing needs one tensor; name a submodule "
                "that returns one"
            )
        if output.ndim < 2 or len(output) != self.batch:
            raise ValueError(
                f"stage {self.name} returns the shape {list(output.shape)} for {self.batch} images; mixing needs an "
                "example a row"
            )
