"""What a policy costs beyond no mixing: passes through the model, and the number of sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tuner.mixing import METHODS, SALIENCIES, Policy
from tuner.models import MODELS, ImageShape
from tuner.selection.finalists import Cost
from tuner.trial.check import outputs


def policy_cost(mixing: Mapping[str, Any]) -> Cost:
    """Return the most that a resolved mixing block's policy costs a step that it mixes."""
    policy: Policy = METHODS.build(mixing)
    methods = policy.methods()
    saliencies = [SALIENCIES[method.saliency] for method in methods if method.saliency is not None]
    return Cost(
        max((one.extra_forward for one in saliencies), default=0),
        max((one.extra_backward for one in saliencies), default=0),
        max(method.ratio.count for method in methods),
    )


def forward_work(config: Mapping[str, Any], image: ImageShape, classes: int) -> float:
    """Return the multiplications and additions of a resolved configuration's model for one example.

    Counted on torch's meta device, which takes neither time nor memory; where somebody's own network cannot run there
    its weights are counted instead, so compare only configurations of one kind of model by this.
    """
    device = torch.device("meta")
    with torch.random.fork_rng(devices=[]), device:
        model = MODELS.build(config["model"], image, outputs(classes)).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        try:
            model(torch.zeros(1, *image, device=device))
        except Exception:  # somebody's own network may raise anything
            return float(sum(weight.numel() for weight in model.parameters()))
    return float(counter.get_total_flops())
