"""What a policy costs beyond no mixing: passes through the model, and the number of sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner.mixing import METHODS, SALIENCIES, Policy
from tuner.selection.finalists import Cost


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
