"""Every policy that the table of methods allows: each method, each switch of its own, with each ratio distribution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin

import torch
from torch import Tensor

from tuner.catalog import Entry, Parameter, resolve
from tuner.mixing import METHODS, AnyGuide, ColumnGuide, Guide, LabelGuide, Mixture
from tuner.mixing.policy import MethodPolicy
from tuner.mixing.saliency import as_shares, centre_surround

RATIOS: dict[str, dict[str, Any]] = {
    "beta": {"name": "beta", "alpha": 0.4},
    "per_batch": {"name": "beta", "alpha": 2.0, "per": "batch"},
    "no_mixing": {"name": "beta", "alpha": 0.0},
    "uniform": {"name": "uniform"},
    "truncated_normal": {"name": "truncated_normal", "sigma": 0.5},
    "clipped_normal": {"name": "clipped_normal", "sigma": 0.5},
    "one_source": {"name": "fixed", "shares": [1.0]},
    "three_sources": {"name": "dirichlet", "count": 3},
    "nine_sources": {"name": "dirichlet", "count": 9, "alpha": 0.3},
    "fixed": {"name": "fixed", "shares": [0.3, 0.7]},
    "sum_below_one": {"name": "beta", "scale": 0.6},
}
_OPTIONS: dict[str, dict[str, Any]] = {"cutout": {"length": 3}}
"""What a method needs to show something on images of a few pixels."""

_COUNTS = {"one_source": 1, "three_sources": 3, "nine_sources": 9}
_COMMON = {"ratio", "probability", "depths", "off_epochs", "saliency"}


@dataclass(frozen=True)
class Case:
    """One policy of the table; `switched` is the one option that differs from its default, with its value."""

    method: str
    ratio: str | None
    switched: tuple[str, Any] | None

    def __str__(self) -> str:
        return "-".join(str(part) for part in (self.method, self.ratio, self.switched) if part)

    def policy(self, **more: Any) -> MethodPolicy:
        """Build the policy; it mixes every batch, so that `none` has something to show too."""
        config: dict[str, Any] = {"name": self.method, **_OPTIONS.get(self.method, {}), **more}
        if self.ratio is not None:
            config.setdefault("ratio", RATIOS[self.ratio])
        if self.switched is not None:
            config[self.switched[0]] = self.switched[1]
        return replace(METHODS.build(resolve(METHODS, config)), probability=1.0)


def cases() -> list[Case]:
    """Return every case that the methods' facts allow."""
    return [
        Case(name, ratio, switched)
        for name, entry in METHODS.items()
        if name != "switch"  # draws one of the others: tests/mixing/test_switch.py
        for switched in (None, *_switches(entry))
        for ratio in _ratios(entry)
    ]


def one_case_a_setting() -> list[Case]:
    """Return one case of each method and switch, with the first ratio distribution that it takes."""
    found: dict[tuple[str, Any], Case] = {}
    for case in cases():
        found.setdefault((case.method, case.switched), case)
    return list(found.values())


def applied(policy: MethodPolicy, features: Tensor, seed: int = 0) -> tuple[Tensor, Mixture]:
    """Draw a mixture and apply it, all from one seed; a method that asks for a guide gets the free one."""
    rng = torch.Generator().manual_seed(seed)
    drawn = policy.draw(len(features), rng)
    assert drawn is not None
    return drawn.apply(features, rng, guided(policy, features))


def guided(policy: MethodPolicy, features: Tensor) -> AnyGuide | None:
    """Return the guide that a policy asks for, made without a network, and of images that are not normalised.

    Every channel is a column, and the examples' labels are apart from one another.
    """
    if policy.facts.guided_by == "columns":
        return ColumnGuide(torch.arange(features.shape[1], device=features.device), features.shape[1])
    if policy.facts.guided_by == "labels":
        return LabelGuide(torch.arange(len(features), device=features.device) / 4)
    if policy.saliency is None or not features.is_floating_point():
        return None
    with torch.no_grad():
        saliency = as_shares(centre_surround(torch.nn.Identity(), features, torch.zeros(len(features)).long()))
    return Guide(saliency, saliency.new_ones(features.shape[1], 1, 1))


def pairs(*own: float, is_shared: bool = False) -> Mixture:
    """Return a mixture of each example with the one before it, of these ratios of their own."""
    examples = torch.arange(len(own))
    ratios = torch.tensor([[share, 1 - share] for share in own])
    return Mixture(
        torch.stack([examples, examples.roll(1)], dim=1), ratios, (own[0], 1 - own[0]) if is_shared else None
    )


def _ratios(entry: Entry) -> Iterator[str | None]:
    if "ratio" not in {parameter.name for parameter in entry.parameters}:
        yield None
        return
    low, high = entry.facts.counts
    for name, block in RATIOS.items():
        count = _COUNTS.get(name, 2)
        is_convex = block.get("scale", 1.0) == 1.0
        if low <= count <= (high or count) and (is_convex or not entry.facts.convex_only):
            yield name


def _switches(entry: Entry) -> Iterator[tuple[str, Any]]:
    for parameter in entry.parameters:
        if parameter.name not in _COMMON:
            yield from ((parameter.name, value) for value in _values(parameter) if value != parameter.default)


def _values(parameter: Parameter) -> tuple[Any, ...]:
    if parameter.annotation is bool:
        return (True, False)
    return get_args(parameter.annotation) if get_origin(parameter.annotation) is Literal else ()
