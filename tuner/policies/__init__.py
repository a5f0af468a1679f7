"""A tuned policy in anybody's training loop, as a file, or as other libraries' code.

    from torch.utils.data import DataLoader
    from tuner.policies import load_policy

    policy = load_policy("policy.yaml", classes=10)
    for images, labels in loader:                               # mixes images
        images, targets = policy(images, labels)
        policy.loss(model(images), targets).backward()          # or torch's cross_entropy

    DataLoader(dataset, batch_size=64, collate_fn=policy.collate_fn())    # or does so in the loader's workers

    attached = policy.attach(model)                             # any policy: hidden layers, saliency by gradients
    for images, labels in loader:
        logits, targets = attached(images, labels)
        policy.loss(logits, targets).backward()

`EXPORTS` are the forms in which `tuner export` writes a policy: functions of a `PolicyFile` that return text, or raise
a ConfigError that names each setting which the other library cannot express.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from tuner.policies.attached import Attached
from tuner.policies.checks import Std
from tuner.policies.file import PolicyFile, of_trial, of_values, read
from tuner.policies.loaded import LoadedPolicy
from tuner.policies.to_timm import to_timm
from tuner.policies.to_torchvision import to_torchvision

__all__ = ["EXPORTS", "Attached", "LoadedPolicy", "PolicyFile", "load_policy", "of_trial"]

EXPORTS: Mapping[str, Callable[[PolicyFile], str]] = {
    "torchvision": to_torchvision,
    "timm": to_timm,
    "yaml": PolicyFile.as_yaml,
}


def load_policy(
    source: str | PathLike[str] | Mapping[str, Any] | PolicyFile,
    *,
    classes: int | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    std: Std = None,
    deviation: float | None = None,
) -> LoadedPolicy:
    """Return the policy of a policy file, given as its path or its values; a mixing block alone will do.

    `classes`, `deviation` (of a regression's labels) and `epochs` (how long you train) go before the file's. `seed`
    makes the policy's own generator repeatable. `std` is what your images are divided by when they
    are normalised (1 for images from 0 to 1), for methods that compare images.

    Raises:
        ValueError: the file is not one, with every mistake of it.
        OSError: it cannot be read.
    """
    if isinstance(source, PolicyFile):
        file = source
    else:
        file = of_values(source) if isinstance(source, Mapping) else read(Path(source))
    known = replace(
        file,
        classes=file.classes if classes is None else classes,
        epochs=file.epochs if epochs is None else epochs,
        deviation=file.deviation if deviation is None else deviation,
    )
    return LoadedPolicy(known, seed=seed, std=std)
