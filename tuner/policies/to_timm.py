"""A policy as the arguments of timm's Mixup, where these can express it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuner.errors import Problem
from tuner.policies.file import PolicyFile
from tuner.policies.limits import foreign_loss, heading, is_plain, mixed_epochs, number, refuse
from tuner.policies.parts import Part, parts

_WHOLE_BOXES = """
# Until 1.0.28 timm's CutMix lost a pixel of odd sides of its box.
if tuple(int(part) for part in timm.__version__.split(".")[:3]) < (1, 0, 29):
    raise ImportError(f"this policy's boxes need timm 1.0.29 or newer, found {timm.__version__}")
"""


def to_timm(file: PolicyFile) -> str:
    """Return Python source whose `mixup(images, labels)` mixes a shuffled batch by the policy's law.

    timm pairs the batch with itself reversed, where the policy's partners are random ones (with probability 1 / batch
    the example itself). Its mode `batch` draws as `per: batch` does. Its mode `elem` draws ratios as `per: example`
    does, but also for each example whether to mix it, and by which method.

    Raises:
        ConfigError: timm cannot express it; each setting at fault, with its reason.
    """
    found = parts(file.mixing)
    plain = [part for part in found if is_plain(part)]
    own = [*_of_boxes(plain), *_of_several(plain), *_of_elements(plain)]
    refuse(file, found, "timm", own)
    usage = ["    images, targets = mixup(images, labels)  # a shuffled batch of an even number, written to in place"]
    usage += ["    loss(model(images), targets).backward()"]
    return "\n".join(
        [
            *heading(file, "timm", usage),
            "",
            "import timm",
            *(["import torch"] if not foreign_loss(file) else []),
            "from timm.data import Mixup",
            *([_WHOLE_BOXES] if any(part.name == "cutmix" for part in found) else [""]),
            *_rest(file, found),
            *_mixup(file, found),
            *(foreign_loss(file) or ["loss = torch.nn.CrossEntropyLoss()  # mixup smooths the targets"]),
            "",
        ]
    )


def _of_boxes(found: Sequence[Part]) -> Iterator[Problem]:
    for part in found:
        if part.block.get("official"):
            reason = "timm keeps the pixel of odd sides of its boxes since 1.0.29; nearest: official: false"
            yield Problem((*part.path, "official"), reason)


def _of_several(found: Sequence[Part]) -> Iterator[Problem]:
    """Find parts that would have to share an argument and differ in it."""
    if len({part.per for part in found}) > 1:
        yield Problem(("mixing",), "timm draws all ratios per batch or all per example, and this policy's parts differ")
    for name in ("mixup", "cutmix"):
        laws = {(part.alpha, part.block.get("correct_ratio")) for part in found if part.name == name}
        if len(laws) > 1:
            yield Problem(("mixing", "policies"), f"timm has one {name}, and this policy {len(laws)} that differ")


def _of_elements(found: Sequence[Part]) -> Iterator[Problem]:
    """Find what timm draws for each example where the policy draws it for the batch."""
    if {part.per for part in found} != {"example"}:
        return
    mode = "timm's mode elem, which per: example needs,"
    if len({part.name for part in found}) > 1:
        yield Problem(("mixing", "policies"), f"{mode} draws the method for each example, and not for the batch")
    if (share := sum(part.share for part in found)) < 1 - 1e-9:
        nearest = f"nearest: prob={number(share)}, the same for each example by itself"
        reason = f"{mode} draws for each example whether to mix it, and not for the batch; {nearest}"
        rare = next((part for part in found if part.block["probability"] < 1), None)
        yield Problem((*(rare.path if rare else ("mixing",)), "probability"), reason)


def _mixup(file: PolicyFile, found: Sequence[Part]) -> list[str]:
    alphas = {part.name: part.alpha for part in found}
    shares = {name: sum(part.share for part in found if part.name == name) for name in ("mixup", "cutmix")}
    total = sum(shares.values())
    corrects = all(part.block.get("correct_ratio", True) for part in found)
    arguments = {
        "mixup_alpha": repr(alphas.get("mixup", 0.0 if found else 1.0)),
        "cutmix_alpha": repr(alphas.get("cutmix", 0.0)),
        "prob": number(total),
        "switch_prob": number(shares["cutmix"] / total if total else 0.0),
        "mode": '"elem"' if any(part.per == "example" for part in found) else '"batch"',
        "correct_lam": repr(corrects),
        "label_smoothing": repr(file.label_smoothing),
        "num_classes": repr(file.classes),
    }
    return ["mixup = Mixup(", *(f"    {name}={value}," for name, value in arguments.items()), ")"]


def _rest(file: PolicyFile, found: Sequence[Part]) -> list[str]:
    epochs = mixed_epochs(file, found)
    if epochs is None:
        return []
    return [f"MIXED_EPOCHS = {epochs}  # of {file.epochs}: mixup.mixup_enabled = epoch < MIXED_EPOCHS"]
