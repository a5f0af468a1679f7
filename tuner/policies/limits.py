"""What no library but this one can express, and the lines that exported code has in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuner.errors import ConfigError, Problem
from tuner.policies.file import PolicyFile
from tuner.policies.parts import Part


def refuse(file: PolicyFile, found: Sequence[Part], library: str, own: Sequence[Problem]) -> None:
    """Refuse a policy that a library cannot express, be it for a common reason or for its `own`.

    Raises:
        ConfigError: it cannot; every setting at fault, with its reason.
    """
    problems = [problem for part in found for problem in _of_part(part, library)]
    problems += [*own, *_of_whole(file, found, library)]
    if problems:
        raise ConfigError(problems)


def is_plain(part: Part) -> bool:
    """Tell whether a part is of the two methods that other libraries have, so that its options can be spoken of."""
    return part.name in {"mixup", "cutmix"}


def mixed_epochs(file: PolicyFile, found: Sequence[Part]) -> int | None:
    """Return how many epochs are mixed before the last ones that are not; None where all are."""
    resting = max((part.off_epochs for part in found), default=0)
    return file.epochs - resting if resting and file.epochs else None


def heading(file: PolicyFile, what: str, usage: Sequence[str]) -> list[str]:
    """Return comments that say where the policy comes from, and how the code is used."""
    origin = [line.strip() for line in file.origin.splitlines() if line.strip()]
    said = [*(origin or ["A mixing policy"]), f"Written by `tuner export` for {what}:", "", *usage]
    return [f"# {line}".rstrip() for line in said]


def foreign_loss(file: PolicyFile) -> list[str]:
    """Return a comment about a loss that torch has not, if the trial's is one."""
    if file.loss["name"] == "cross_entropy":
        return []
    settings = ", ".join(f"{key}: {value}" for key, value in file.loss.items())
    return [f"# The trial's loss was {{{settings}}}: the policy file (--to yaml) has it as policy.loss, torch has not."]


def number(value: float) -> str:
    """Write a number without the last digits that sums and products leave."""
    return repr(float(f"{value:.12g}"))


def _of_part(part: Part, library: str) -> Iterator[Problem]:
    if not is_plain(part):
        yield Problem((*part.path, "name"), f"{library} mixes by mixup and cutmix alone, not by {part.name}")
        return
    depths = list(part.block["depths"])
    if depths != [0]:
        yield Problem((*part.path, "depths"), f"{library} mixes images alone (depths [0]), not at depths {depths}")
    ratio = part.block["ratio"]
    if part.alpha is None:
        what = f"not {ratio['name']}" + (f" of {ratio['count']} sources" if "count" in ratio else "")
        yield Problem((*part.path, "ratio", "name"), f"{library} mixes two images by Beta(alpha, alpha), {what}")
    if ratio["scale"] != 1:
        yield Problem((*part.path, "ratio", "scale"), f"{library}'s ratios sum to 1, not to {ratio['scale']:g}")
    if part.block.get("inside"):
        nearest = "nearest: inside: false, whose boxes are clipped at the border"
        yield Problem((*part.path, "inside"), f"{library} does not keep its boxes within the image; {nearest}")


def _of_whole(file: PolicyFile, found: Sequence[Part], library: str) -> Iterator[Problem]:
    if file.is_regression:
        message = f"{library} mixes shares of classes, and this policy is for numbers (loss {file.loss['name']})"
        yield Problem(("loss",), message)
    elif file.classes is None:
        yield Problem(("classes",), f"{library} has to know the number of classes")
    resting = sorted({part.off_epochs for part in found})
    if len(resting) > 1:
        numbers = " and ".join(map(str, resting))
        yield Problem(("mixing",), f"its parts rest for different numbers of last epochs (off_epochs {numbers})")
    elif resting and resting[0] and file.epochs is None:
        yield Problem(("epochs",), f"off_epochs {resting[0]} counts from the end of the training; say how long it is")
