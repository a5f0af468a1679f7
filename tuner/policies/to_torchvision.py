"""A policy as code of torchvision's v2 transforms, where these can express it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuner.errors import Problem
from tuner.policies.file import PolicyFile
from tuner.policies.limits import foreign_loss, heading, is_plain, mixed_epochs, number, refuse
from tuner.policies.parts import Part, parts

_LEAST_ALPHA = 0.01
"""Below it torch's Beta, in float32, draws one half where it should draw 0 or 1: in 24 % of draws at alpha 0.001."""

_UNMIXED = '''

def unmixed(images, labels):
    """Return the images as they are, and the labels as targets."""
    return images, torch.nn.functional.one_hot(labels, CLASSES).float()

'''


def to_torchvision(file: PolicyFile) -> str:
    """Return Python source whose `mix(images, labels)` mixes a shuffled batch by the policy's law.

    v2.MixUp and v2.CutMix draw one ratio a batch, from Beta(alpha, alpha), and pair each example with the one before it
    in the batch. The policy's partners are random ones (with probability 1 / batch the example itself).

    Raises:
        ConfigError: they cannot express it; each setting at fault, with its reason.
    """
    found = parts(file.mixing)
    refuse(file, found, "torchvision", [problem for part in found for problem in _problems(part)])
    usage = ["    images, targets = mix(images, labels)  # a shuffled batch"]
    usage += ["    loss(model(images), targets).backward()"]
    return "\n".join(
        [
            *heading(file, "torchvision's v2 transforms", usage),
            "",
            "import torch",
            *(["from torchvision.transforms import v2"] if found else []),
            "",
            f"CLASSES = {file.classes}",
            *_rest(file, found),
            _UNMIXED,
            *_mix(found),
            *_loss(file),
            "",
        ]
    )


def _problems(part: Part) -> Iterator[Problem]:
    if not is_plain(part):
        return
    name = {"mixup": "MixUp", "cutmix": "CutMix"}[part.name]
    if part.per == "example":
        reason = f"v2.{name} draws one ratio a batch, this policy one for each example; nearest: per: batch"
        yield Problem((*part.path, "ratio", "per"), reason)
    if part.alpha is not None and part.alpha < _LEAST_ALPHA:
        reason = f"torch's Beta draws halves for 0 and 1 below alpha {_LEAST_ALPHA}, this policy's has {part.alpha:g}"
        yield Problem((*part.path, "ratio", "alpha"), f"{reason}; nearest: no mixing")
    if part.name == "mixup":
        return
    if not part.block["official"]:
        reason = "v2.CutMix loses a pixel of odd sides of its box; nearest: official: true, which does so too"
        yield Problem((*part.path, "official"), reason)
    if not part.block["correct_ratio"]:
        reason = "v2.CutMix's targets follow the box's area, not the ratio drawn; nearest: correct_ratio: true"
        yield Problem((*part.path, "correct_ratio"), reason)


def _mix(found: Sequence[Part]) -> list[str]:
    names = {"mixup": "MixUp", "cutmix": "CutMix"}
    written = [f"v2.{names[part.name]}(alpha={part.alpha!r}, num_classes=CLASSES)" for part in found]
    shares = [number(part.share) for part in found]
    rest = 1 - sum(part.share for part in found)
    if rest > 1e-9:
        written.append("unmixed")
        shares.append(number(rest))
    if len(written) == 1:
        return [f"mix = {written[0]}"]
    choices = [f"        {one}," for one in written]
    return ["mix = v2.RandomChoice(", "    [", *choices, "    ],", f"    p=[{', '.join(shares)}],", ")"]


def _rest(file: PolicyFile, found: Sequence[Part]) -> list[str]:
    epochs = mixed_epochs(file, found)
    if epochs is None:
        return []
    return [f"MIXED_EPOCHS = {epochs}  # of {file.epochs}; in the others: images, targets = unmixed(images, labels)"]


def _loss(file: PolicyFile) -> list[str]:
    return foreign_loss(file) or [f"loss = torch.nn.CrossEntropyLoss(label_smoothing={file.label_smoothing!r})"]
