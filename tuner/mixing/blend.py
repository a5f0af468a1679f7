"""The two blends that all methods are made of: whole examples by ratio, and two examples by a mask."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import embedding_bag

from tuner.mixing.base import Mixture


def blend(features: Float[Tensor, "batch *map"], mixture: Mixture) -> Float[Tensor, "batch *map"]:
    """Return the sum of each row's sources, weighted by its ratios.

    This is one weighted gather over flattened examples (`embedding_bag`), which reads every source once and writes
    once: 1.7 times a plain copy for N = 2, against 3.8 for gather, multiply and add. Half precision is summed in
    float32, so that the ratios are never rounded to the features' type.
    """
    if features.dtype not in (torch.float32, torch.float64):
        return blend(features.float(), mixture).to(features.dtype)
    last = _is_channels_last(features)
    dense = features.permute(0, 2, 3, 1) if last else features.contiguous()
    ratios = mixture.ratios.to(features.dtype)
    rows = embedding_bag(mixture.sources, dense.reshape(len(dense), -1), per_sample_weights=ratios, mode="sum")
    mixed = rows.view(dense.shape)
    return mixed.permute(0, 3, 1, 2) if last else mixed


def masked(
    features: Float[Tensor, "batch c h w"],
    mixture: Mixture,
    mask_of: Callable[[Float[Tensor, " masks"]], Float[Tensor, "masks h w"]],
) -> tuple[Float[Tensor, "batch c h w"], Mixture]:
    """Blend each example with its second source by the mask that `mask_of` makes of the examples' own ratios.

    One mask an example, or one for the batch where its ratio was drawn for the batch. The targets follow the masks'
    means.
    """
    mask = mask_of(own_ratios(mixture))
    mixed = blend_masked(features, mixture, mask[:, None])
    return mixed, of_own_shares(mixture, mask.mean(dim=(1, 2)))


def own_ratios(mixture: Mixture) -> Float[Tensor, " masks"]:
    """Return each example's own ratio, or the one ratio of a batch that shares it."""
    return mixture.ratios[:1, 0] if mixture.shared else mixture.ratios[:, 0]


def of_own_shares(mixture: Mixture, own: Float[Tensor, " masks"] | float) -> Mixture:
    """Return the mixture of two sources in which the examples keep these shares, or all of them one."""
    if isinstance(own, float):
        ratios = torch.tensor([[own, 1 - own]]).to(mixture.ratios.device, non_blocking=True)
    else:
        ratios = torch.stack([own, 1 - own], dim=1)
    ratios = ratios.expand(len(mixture.sources), -1)
    return Mixture(mixture.sources, ratios)


def blend_masked(
    features: Float[Tensor, "batch c h w"], mixture: Mixture, mask: Float[Tensor, "#batch #c h w"]
) -> Float[Tensor, "batch c h w"]:
    """Return the example itself where `mask` is 1 and its second source where it is 0.

    The mask is a float one and the blend a `lerp`: five times faster on a CPU than `where` with booleans.
    """
    others = mixture.sources[:, 1]
    if not _is_channels_last(features):
        return blend_with(features, features.index_select(0, others), mask)
    # `index_select` forgets channels last.
    other = features.permute(0, 2, 3, 1).index_select(0, others).permute(0, 3, 1, 2)
    return blend_with(features, other, mask)


def blend_with(
    features: Float[Tensor, "batch c h w"], other: Float[Tensor, "batch c h w"], mask: Float[Tensor, "#batch #c h w"]
) -> Float[Tensor, "batch c h w"]:
    """Return `features` where `mask` is 1 and `other` where it is 0, in the features' memory format."""
    if features.dtype in {torch.float16, torch.bfloat16}:
        # A soft mask is not rounded to the features' type, nor is the sum.
        return blend_with(features.float(), other.float(), mask).to(features.dtype)
    mask = mask.to(features.dtype)
    if not _is_channels_last(features):
        return torch.lerp(other, features, mask)
    # Broadcasting a mask over the innermost channels costs twice as much.
    dense = features.permute(0, 2, 3, 1)
    weights = mask.permute(0, 2, 3, 1).expand_as(dense).contiguous()
    return torch.lerp(other.permute(0, 2, 3, 1).contiguous(), dense, weights).permute(0, 3, 1, 2)


def _is_channels_last(features: Tensor) -> bool:
    return (
        features.ndim == 4
        and not features.is_contiguous()
        and features.is_contiguous(memory_format=torch.channels_last)
    )
