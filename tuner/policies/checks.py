"""What a batch, and what comes with it, have to be like; said before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tuner.mixing import SALIENCIES, AnyGuide, ColumnGuide, LabelGuide, Policy, guide
from tuner.mixing.policy import MethodPolicy
from tuner.policies.file import PolicyFile

Std = float | Sequence[float] | None

COMPARES_IMAGES = {"puzzlemix"}
"""Methods that measure how far images differ, on the scale from black to white."""


def check_batch(images: Tensor, labels: Tensor, classes: int) -> None:
    """Check that images can be mixed and labels be counted.

    Raises:
        ValueError: they cannot.
    """
    if not images.is_floating_point():
        raise ValueError(f"wanted images of floating point, got {images.dtype}; convert and normalise first")
    if labels.is_floating_point() or labels.shape != images.shape[:1]:
        got = f"{labels.dtype} of shape {list(labels.shape)} for images of shape {list(images.shape)}"
        raise ValueError(f"wanted a whole number for each image as labels, got {got}")
    # Elsewhere the host would wait for the device, which then stops by itself at such a label.
    if labels.device.type == "cpu" and len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        got = f"{int(labels.min())} to {int(labels.max())}"
        raise ValueError(
            f"wanted labels from 0 to {classes - 1}, got {got}; load_policy(..., classes=...) says how many"
        )


def check_numbers(images: Tensor, labels: Tensor) -> None:
    """Check that examples can be mixed and labels be averaged, for a regression.

    Raises:
        ValueError: they cannot.
    """
    if not images.is_floating_point():
        raise ValueError(f"wanted examples of floating point, got {images.dtype}; convert and normalise first")
    if not labels.is_floating_point() or labels.shape != images.shape[:1]:
        got = f"{labels.dtype} of shape {list(labels.shape)} for examples of shape {list(images.shape)}"
        raise ValueError(f"wanted a floating point number for each example as labels (a regression), got {got}")


def model_wanted_by(policy: Policy) -> str:
    """Say what in a policy looks at the model; nothing: an empty text."""
    for method in policy.methods():
        if method.saliency is not None and SALIENCIES[method.saliency].extra_forward:
            return f"{method.name}'s saliency {method.saliency}"
    return ""


def check_guidance(policy: Policy, model: nn.Module | None, std: Std) -> None:
    """Check that there is what guides any method of a policy.

    Raises:
        ValueError: there is not.
    """
    wanted = model_wanted_by(policy)
    if model is None and wanted:
        raise ValueError(f"{wanted} looks at the model: policy(images, labels, model=model), or policy.attach(model)")
    comparing = sorted({method.name for method in policy.methods()} & COMPARES_IMAGES)
    if std is None and comparing:
        raise ValueError(
            f"{comparing[0]} compares images on the scale from black to white: say what they were divided by when they "
            "were normalised: load_policy(..., std=[0.229, 0.224, 0.225]), or std=1 for images from 0 to 1"
        )


def check_data(policy: Policy, file: PolicyFile) -> None:
    """Check that what is known of the data is enough for any method of a policy.

    Raises:
        ValueError: it is not.
    """
    for method in policy.methods():
        if method.facts.labels not in ("any", "numbers" if file.is_regression else "classes"):
            advice = "say the loss as well: {mixing: ..., loss: mse}" if not file.is_regression else "use mixup"
            raise ValueError(f"{method.name} is for labels that are {method.facts.labels}; {advice}")
        if method.facts.guided_by == "labels" and file.deviation is None:
            raise ValueError(
                f"{method.name} counts its bandwidth in deviations of the target; say what that is over your training "
                "labels: load_policy(..., deviation=labels.std())"
            )


def guidance(
    method: MethodPolicy, images: Tensor, labels: Tensor, *, model: nn.Module | None, std: Std, file: PolicyFile
) -> AnyGuide | None:
    """Return what guides a method on these examples, if anything does: the extra passes happen here."""
    if method.facts.guided_by == "labels":
        return LabelGuide(labels / (file.deviation or 1.0))
    if method.facts.guided_by == "columns":
        return _columns(images, file.columns)
    if method.saliency is None:
        return None
    scale = torch.tensor(1.0 if std is None else std, dtype=torch.float32)
    if scale.ndim > 1 or scale.numel() not in (1, images.shape[1]) or not bool((scale > 0).all()):
        raise ValueError(f"wanted one std above 0 for each of {images.shape[1]} channels, got {std}")
    contrast = (1 / scale).reshape(-1, 1, 1).to(images.device, non_blocking=True)
    return guide(method.saliency, model or nn.Identity(), images, labels, contrast)


def _columns(images: Tensor, names: Sequence[str]) -> ColumnGuide:
    """Return which features form a column: those of one name, or each by itself where none are known."""
    count = images.shape[1]
    if names and len(names) != count:
        raise ValueError(f"wanted examples of {len(names)} features, as the policy file's columns, got {count}")
    numbers: dict[str, int] = {}
    known = [numbers.setdefault(name, len(numbers)) for name in names or map(str, range(count))]
    return ColumnGuide(torch.tensor(known).to(images.device, non_blocking=True), len(numbers))
