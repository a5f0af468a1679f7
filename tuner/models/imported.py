"""A model of one's own: a function of (image, classes) anywhere on the path, its stages named beside it."""

from __future__ import annotations

from typing import Any

from torch import nn

from tuner.catalog import Entry, entry
from tuner.imported import entry_of
from tuner.models.base import ImageShape
from tuner.models.stages import with_stages


def imported(reference: str) -> Entry:
    """Return the entry of `package.module:function`, a function or class of (image, classes) and what it likes.

    Raises:
        ValueError: it cannot be imported, or does not take an image shape and a number of classes.
    """
    own = entry_of(reference, ("image", "classes"), ("stages",))

    def build(image: ImageShape, classes: int, *, stages: tuple[str, ...], **parameters: Any) -> nn.Module:
        model = own.function(image, classes, **parameters)
        if not isinstance(model, nn.Module):
            raise ValueError(f"{reference} returns a {type(model).__name__}; wanted a torch.nn.Module")
        return with_stages(model, stages) if stages else model

    return Entry(build, own.parameters + _STAGES, own.summary)


def _stages(*, stages: tuple[str, ...] = ()) -> None:
    """What a study file says of any imported model: the submodules after which mixing can happen."""


_STAGES = entry(_stages).parameters
