"""PatchUp: blocks of hidden feature maps are swapped, or mixed, between two examples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Le
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import max_pool2d

from tuner.mixing.base import Mixture
from tuner.mixing.blend import blend_masked, of_own_shares, own_ratios
from tuner.mixing.ratios import RatioDistribution

_GAMMA = {"hard": 0.5, "soft": 0.75}
_HALVINGS = 60


def patchup(
    features: Float[Tensor, "batch *map"],
    mixture: Mixture,
    rng: torch.Generator,
    *,
    mode: Literal["hard", "soft"] = "hard",
    gamma: Annotated[float, Ge(0), Le(1)] | None = None,
    block_size: Annotated[int, Ge(1)] = 7,
    official: bool = False,
) -> tuple[Float[Tensor, "batch *map"], Mixture]:
    """Blocks of the hidden maps come from the other example; the target follows the share of features changed.

    `mode: hard` swaps the blocks and knows no ratio; `mode: soft` mixes them by it. One mask serves the whole batch, a
    different one each channel. `gamma` is the share of features that is changed on average, whatever the map's size,
    0.5 (hard) or 0.75 (soft) unless given. Maps smaller than the block have blocks of their own size, made odd.

    `official: true` takes the chance of a block from the paper's formula, which gives another share than `gamma`: of
    0.5 with blocks of 7, 0.49 on 32x32 and 0.64 on 16x16. Their code computes it for the first map it meets; their two
    depths have maps of one size. Their loss is twice the mixed target's; at depth 0 they use CutMix: a switch.

    Raises:
        ValueError: the block's size is even, or the features are no maps of channels, height and width.

    Source: Faramarzi et al., PatchUp (arXiv 2006.07794), section 2; code chandar-lab/PatchUp.
    """
    if features.ndim != 4:
        wanted = "patchup needs maps of channels, height and width"
        raise ValueError(f"{wanted}, got features of shape {tuple(features.shape)}; set depths where they are maps")
    share = _GAMMA[mode] if gamma is None else gamma
    holes = _holes(features, share, block_size, official, rng)
    changed = holes.mean()[None]
    if mode == "hard":
        return blend_masked(features, mixture, 1 - holes), of_own_shares(mixture, 1 - changed)
    others = 1 - own_ratios(mixture)
    mixed = blend_masked(features, mixture, 1 - holes * others[:, None, None, None])
    return mixed, of_own_shares(mixture, 1 - changed * others)


def patchup_strength(options: Mapping[str, Any], ratio: RatioDistribution) -> float:
    """Return E[1 - largest share] of the targets, about: gamma swaps that much, or mixes that much by the ratio."""
    gamma = options.get("gamma")
    share = _GAMMA[options["mode"]] if gamma is None else gamma
    return min(share, 1 - share) if options["mode"] == "hard" else ratio.expected_strength(share)


def chance_by_formula(gamma: float, sides: tuple[int, int], blocks: tuple[int, int]) -> float:
    """Return the chance that a block is centred at a feature, by the paper's formula."""
    return min(
        1.0, gamma * math.prod(side / (block * (side - block + 1)) for side, block in zip(sides, blocks, strict=True))
    )


@lru_cache(maxsize=1024)
def chance_by_share(share: float, sides: tuple[int, int], blocks: tuple[int, int]) -> float:
    """Return the chance that a block is centred at a feature for which `share` of all features lie in blocks.

    It is found by halving; blocks that reach over the border count as far as they lie inside.
    """
    rows, columns = (_centres_in_reach(side, block) for side, block in zip(sides, blocks, strict=True))
    reach = Counter(row * column for row in rows for column in columns)
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        untouched = sum(count * (1 - middle) ** centres for centres, count in reach.items()) / math.prod(sides)
        low, high = (middle, high) if 1 - untouched < share else (low, middle)
    return low


def grown(centres: Bool[Tensor, "1 c h w"], blocks: tuple[int, int]) -> Float[Tensor, "1 c h w"]:
    """Return 1 within half a block of a centre and 0 elsewhere: one axis after the other."""
    height, width = blocks
    in_rows = max_pool2d(centres.float(), (height, 1), 1, (height // 2, 0))
    return max_pool2d(in_rows, (1, width), 1, (0, width // 2))


def _holes(
    features: Float[Tensor, "batch c h w"], share: float, block_size: int, official: bool, rng: torch.Generator
) -> Float[Tensor, "1 c h w"]:
    """Draw where the features are changed, the same for all examples."""
    if block_size % 2 == 0:
        raise ValueError(f"block_size must be odd, got {block_size}; set it to {block_size + 1}")
    channels, height, width = features.shape[1:]
    blocks = (_odd(min(block_size, height)), _odd(min(block_size, width)))
    chance = (chance_by_formula if official else chance_by_share)(share, (height, width), blocks)
    centres = torch.rand(1, channels, height, width, generator=rng, device=rng.device) < chance
    return grown(centres.to(features.device, non_blocking=True), blocks)


def _centres_in_reach(side: int, block: int) -> list[int]:
    reach = block // 2
    return [min(pixel, reach) + min(side - 1 - pixel, reach) + 1 for pixel in range(side)]


def _odd(number: int) -> int:
    return number - 1 + number % 2
