"""What a trial is compared with."""

from __future__ import annotations

import pytest

from tuner import trial
from tuner.search.strata import stratum


def config(**mixing):
    return trial.resolve({"dataset": "digits", "model": {"name": "small_cnn", "padding": "same"}, "mixing": mixing})


@pytest.mark.parametrize(
    ("mixing", "band"),
    [
        ({"name": "none"}, "unmixed"),
        ({"name": "mixup", "ratio": {"name": "beta", "alpha": 0}}, "unmixed"),
        ({"name": "mixup", "probability": 0.0}, "unmixed"),
        ({"name": "mixup", "ratio": {"name": "beta", "alpha": 0.1}}, "weak"),
        ({"name": "cutmix", "ratio": {"name": "beta", "alpha": 0.4}}, "medium"),
        ({"name": "mixup", "ratio": {"name": "beta", "alpha": 1.0}}, "strong"),
        ({"name": "mixup", "ratio": {"name": "beta", "alpha": 8.0}, "probability": 0.2}, "weak"),
        ({"name": "mixup", "ratio": {"name": "dirichlet", "count": 5}}, "strong"),
    ],
)
def test_strength_is_one_scale_for_all_methods(mixing, band):
    assert stratum(config(**mixing), "strength") == band


@pytest.mark.parametrize(
    ("mixing", "wanted"),
    [
        ({"name": "none"}, "unmixed"),
        ({"name": "cutmix", "ratio": {"name": "beta", "alpha": 0.4}}, "cutmix, weak"),
        ({"name": "cutmix", "ratio": {"name": "beta", "alpha": 1.0}}, "cutmix, strong"),
        ({"name": "mixup", "ratio": {"name": "beta", "alpha": 1.0}}, "mixup, strong"),
        ({"name": "mixup", "probability": 0.0}, "unmixed"),
        ({"name": "cutout"}, "cutout, weak"),
    ],
)
def test_both_is_the_method_in_two_bands(mixing, wanted):
    assert stratum(config(**mixing), "both") == wanted


def test_strata_can_be_the_method_or_nothing():
    assert stratum(config(name="cutmix"), "method") == "cutmix"
    assert stratum(config(name="cutmix"), "none") == "all"
