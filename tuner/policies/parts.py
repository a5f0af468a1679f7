"""What a policy is made of: the single methods, and how often each mixes a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tuner.errors import Path


@dataclass(frozen=True)
class Part:
    """A single method of a policy: the share of all batches that it mixes, and for how many last epochs it does not.

    `block` is its mixing block, which stands at `path` of the policy file.
    """

    block: Mapping[str, Any]
    share: float
    off_epochs: int
    path: Path

    @property
    def name(self) -> str:
        """Return the method's name."""
        return str(self.block["name"])

    @property
    def per(self) -> str | None:
        """Return what a ratio is drawn for, the batch or the example."""
        per: str | None = self.block.get("ratio", {}).get("per")
        return per

    @property
    def alpha(self) -> float | None:
        """Return the alpha of the Beta(alpha, alpha) that the ratio is drawn from; None where it is no such law."""
        ratio = self.block.get("ratio", {})
        if ratio.get("name") == "uniform":
            return 1.0
        if ratio.get("name") == "beta" or (ratio.get("name") == "dirichlet" and ratio["count"] == 2):
            return float(ratio["alpha"])
        return None


def parts(mixing: Mapping[str, Any]) -> list[Part]:
    """Return the parts of a complete mixing block that ever mix anything: none of `none`, or of alpha 0."""
    return [part for part in _parts(mixing, 1.0, 0, ("mixing",)) if part.share > 0 and _mixes(part)]


def most_off_epochs(mixing: Mapping[str, Any]) -> int:
    """Return the largest number of last epochs for which any part of a complete mixing block rests."""
    return max((part.off_epochs for part in parts(mixing)), default=0)


def _parts(block: Mapping[str, Any], share: float, off_epochs: int, path: Path) -> Iterator[Part]:
    share *= block.get("probability", 1.0)
    off_epochs = max(off_epochs, block.get("off_epochs", 0))
    if "policies" not in block:
        yield Part(block, share, off_epochs, path)
        return
    weights = block["weights"] or (1.0,) * len(block["policies"])
    for index, (weight, inner) in enumerate(zip(weights, block["policies"], strict=True)):
        yield from _parts(inner, share * weight / sum(weights), off_epochs, (*path, "policies", index))


def _mixes(part: Part) -> bool:
    if part.name == "none":
        return False
    return part.alpha != 0 or part.name not in {"mixup", "cutmix"}
