"""The mixing methods: one file each, one line each in `METHODS`.

To add one: write a function of (features, mixture, rng) with its options as keyword-only parameters, and a line here.
The contract suite (tests/mixing/test_contract.py) proves the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Le, Len
from torch import Tensor

from tuner.catalog import Entry, Nested, Table, entry
from tuner.mixing.base import AnyGuide, ColumnGuide, Guide, LabelGuide, MethodFacts, Mixture
from tuner.mixing.c_mixup import c_mixup
from tuner.mixing.column_cutmix import column_cutmix
from tuner.mixing.comixup import comixup, comixup_strength
from tuner.mixing.cutmix import cutmix
from tuner.mixing.cutout import cutout
from tuner.mixing.fmix import fmix
from tuner.mixing.gridmix import gridmix
from tuner.mixing.mixup import mixup
from tuner.mixing.patchup import patchup, patchup_strength
from tuner.mixing.policy import Drawn, MethodPolicy, Policy
from tuner.mixing.puzzlemix import puzzlemix
from tuner.mixing.ratios import RATIOS, RatioDistribution, fixed
from tuner.mixing.resizemix import resizemix
from tuner.mixing.saliency import SALIENCIES, guide
from tuner.mixing.saliencymix import saliencymix
from tuner.mixing.sample_pairing import sample_pairing
from tuner.mixing.smoothmix import smoothmix
from tuner.mixing.snapmix import snapmix
from tuner.mixing.switch import switch

__all__ = [
    "METHODS",
    "RATIOS",
    "SALIENCIES",
    "AnyGuide",
    "ColumnGuide",
    "Drawn",
    "Guide",
    "LabelGuide",
    "MethodFacts",
    "Mixture",
    "Policy",
    "RatioDistribution",
    "guide",
]

Probability = Annotated[float, Ge(0), Le(1)]
Depths = Annotated[tuple[Annotated[int, Ge(0)], ...], Len(1)]
Epochs = Annotated[int, Ge(0)]
SaliencyName = Literal["gradient", "class_activation", "centre_surround"]


def _method(
    name: str,
    function: Callable[..., Any],
    facts: MethodFacts,
    *,
    source: str,
    ratio: dict[str, Any] | None = None,
    depths: tuple[int, ...] = (0,),
) -> Entry:
    """Make a method's entry: what every policy has (ratio, probability, depths ...) and the method's own options.

    The default `ratio` is what the method's paper uses on CIFAR. A method without one chooses its own, or mixes nothing
    with anything.
    """

    def policy(
        *,
        ratio: RatioDistribution | None = None,
        probability: Probability = 1.0,
        depths: Depths = depths,
        off_epochs: Epochs = 0,
        saliency: SaliencyName = facts.saliency,  # type: ignore[assignment]
        **options: Any,
    ) -> MethodPolicy:
        drawn = ratio or fixed(shares=(1.0,))
        return MethodPolicy(name, function, facts, drawn, probability, depths, off_epochs, saliency, options)

    absent = {"ratio"} if ratio is None else set()
    absent |= {"saliency"} if facts.saliency is None else set()
    parameters = entry(policy, nested={"ratio": Nested(RATIOS, ratio)}).parameters
    common = (parameter for parameter in parameters if parameter.name not in absent)
    own = entry(function)
    return replace(own, function=policy, parameters=(*common, *own.parameters), source=source, facts=facts)


def _unmixed(features: Tensor, mixture: Mixture, rng: torch.Generator) -> tuple[Tensor, Mixture]:
    return features, mixture


def no_mixing() -> MethodPolicy:
    """No mixing: the plain recipe that every policy has to beat (empirical risk minimisation)."""
    return MethodPolicy("none", _unmixed, METHODS["none"].facts, fixed(shares=(1.0,)), probability=0.0)


_ENTRIES: dict[str, Entry] = {}

METHODS = Table("mixing method", _ENTRIES)

_ENTRIES |= {
    "none": entry(
        no_mixing,
        source="Vapnik 1998, empirical risk minimisation",
        facts=MethodFacts((1, 1), depths="any", inputs="any"),
    ),
    "mixup": _method(
        "mixup",
        mixup,
        MethodFacts((1, None), depths="any", convex_only=False, inputs="any"),
        source="Zhang et al. 2018, arXiv 1710.09412; hidden depths: Verma et al. 2019, arXiv 1806.05236",
        ratio={"name": "beta", "alpha": 1.0},
    ),
    "cutmix": _method(
        "cutmix",
        cutmix,
        MethodFacts((2, 2)),
        source="Yun et al. 2019, arXiv 1905.04899",
        ratio={"name": "beta", "alpha": 1.0},
    ),
    "sample_pairing": _method(
        "sample_pairing",
        sample_pairing,
        MethodFacts((1, None), depths="any", convex_only=False, inputs="any"),
        source="Inoue 2018, arXiv 1801.02929",
        ratio={"name": "fixed", "shares": [0.5, 0.5]},
    ),
    "cutout": _method(
        "cutout",
        cutout,
        MethodFacts((1, 1)),
        source="DeVries and Taylor 2017, arXiv 1708.04552",
    ),
    "fmix": _method(
        "fmix",
        fmix,
        MethodFacts((2, 2)),
        source="Harris et al. 2020, arXiv 2002.12047",
        ratio={"name": "beta", "alpha": 1.0},
    ),
    "resizemix": _method(
        "resizemix",
        resizemix,
        MethodFacts((2, 2)),
        source="Qin et al. 2020, arXiv 2012.11101",
        ratio={"name": "uniform_scale"},
    ),
    "gridmix": _method(
        "gridmix",
        gridmix,
        MethodFacts((2, 2)),
        source="Baek, Bang and Shim 2021, Pattern Recognition 109",
        ratio={"name": "beta", "alpha": 1.0},
    ),
    "smoothmix": _method(
        "smoothmix",
        smoothmix,
        MethodFacts((2, 2)),
        source="Lee et al. 2020, SmoothMix, CVPR Workshops",
        ratio={"name": "beta", "alpha": 1.0},
    ),
    "puzzlemix": _method(
        "puzzlemix",
        puzzlemix,
        MethodFacts((2, 2), saliency="gradient", labels="classes"),
        source="Kim, Choo and Song 2020, arXiv 2009.06962",
        ratio={"name": "beta", "alpha": 1.0},
    ),
    "saliencymix": _method(
        "saliencymix",
        saliencymix,
        MethodFacts((2, 2), saliency="centre_surround"),
        source="Uddin et al. 2020, arXiv 2006.01791",
        ratio={"name": "beta", "alpha": 1.0},
    ),
    "snapmix": _method(
        "snapmix",
        snapmix,
        MethodFacts((2, 2), keeps_mass=False, saliency="class_activation", labels="classes"),
        source="Huang, Wang and Tao 2020, arXiv 2012.04846",
        ratio={"name": "beta", "alpha": 5.0},
    ),
    "patchup": _method(
        "patchup",
        patchup,
        MethodFacts((2, 2), depths="hidden", strength=patchup_strength),
        source="Faramarzi et al. 2020, arXiv 2006.07794",
        ratio={"name": "beta", "alpha": 2.0},
        depths=(1, 2),
    ),
    "comixup": _method(
        "comixup",
        comixup,
        MethodFacts((1, None), saliency="gradient", strength=comixup_strength, labels="classes"),
        source="Kim et al. 2021, arXiv 2102.03065",
    ),
    "column_cutmix": _method(
        "column_cutmix",
        column_cutmix,
        MethodFacts((2, 2), inputs="table", guided_by="columns"),
        source="Yun et al. 2019, arXiv 1905.04899; on tables: Somepalli et al. 2021, arXiv 2106.01342",
        ratio={"name": "beta", "alpha": 1.0},
    ),
    "c_mixup": _method(
        "c_mixup",
        c_mixup,
        MethodFacts((2, 2), depths="any", inputs="any", labels="numbers", guided_by="labels"),
        source="Yao et al. 2022, arXiv 2210.05775",
        ratio={"name": "beta", "alpha": 2.0},
    ),
    "switch": entry(
        switch,
        nested={"policies": Nested(METHODS, ({"name": "mixup"}, {"name": "cutmix"}), many=True)},
        facts=MethodFacts((1, None), depths="any", convex_only=False, inputs="any"),
        source="timm (switch_prob); Touvron et al. 2021, arXiv 2012.12877",
    ),
}
