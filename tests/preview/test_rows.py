"""A preview's rows say what was really mixed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tuner import preview, space, trial
from tuner.errors import ConfigError

DIGITS: dict[str, Any] = {"dataset": "digits", "model": {"name": "small_cnn", "padding": "same"}}
HALVES = {"name": "fixed", "shares": [0.5, 0.5]}


def rows(*mixing: Any, **more: Any) -> list[preview.Row]:
    configs = [trial.resolve({**DIGITS, "mixing": block}) for block in mixing]
    return preview.rows(configs, trial.load_data(configs[0], 0), **more)


def test_first_row_shows_the_images_as_they_are():
    first, _ = rows("mixup", shown=5)
    split = trial.load_data(trial.resolve(DIGITS), 0)
    assert first.name == "unmixed"
    np.testing.assert_allclose(first.images[..., 0], split.training.images[:5, 0] / 255, atol=1e-6)
    assert list(first.targets) == [f"100 {split.classes[label]}" for label in split.training.labels[:5]]
    assert (first.shares == 1).all()
    assert first.entropy == 0


def test_mixed_row_is_the_mean_of_each_image_and_its_partner():
    unmixed, mixed = rows({"name": "mixup", "ratio": HALVES}, shown=32)
    twice = 2 * mixed.images - unmixed.images
    assert (twice >= -1e-5).all()
    assert (twice <= 1 + 1e-5).all()
    assert (mixed.shares == 0.5).all()
    # ln 2 where the classes differ, 0 for pairs of one class: one in ten of ten equal classes
    assert mixed.entropy == pytest.approx(0.9 * math.log(2), abs=0.03)
    assert any(target.startswith("50 ") and "\n50 " in target for target in mixed.targets)


def test_every_method_of_a_switch_has_a_row_and_no_mixing_none():
    found = rows({"name": "switch", "policies": ["cutmix", "none"]}, "fmix", "none")
    assert [row.name for row in found] == ["unmixed", "switch: cutmix", "fmix"]


def test_guided_methods_are_shown():
    _, saliencymix, comixup = rows("saliencymix", {"name": "comixup", "part": 8})
    assert saliencymix.whose == "own"
    assert 0 < saliencymix.shares.mean() < 1
    assert comixup.whose == "largest"  # its images are put together anew, so none is an example's own
    assert comixup.shares.min() >= 1 / 8


def test_a_study_gives_one_configuration_a_method_at_the_middle_of_its_ranges():
    template = space.parse(
        {
            **DIGITS,
            "mixing": {
                "choice": {
                    "none": {},
                    "mixup": {"ratio": {"name": "beta", "alpha": {"low": 0.1, "high": 10.0, "log": True}}},
                    "cutmix": {"probability": {"any": [0.5, 1.0]}},
                }
            },
        }
    )
    blocks = [config["mixing"] for config in preview.configurations(template)]
    assert blocks == [
        {"name": "none"},
        {"name": "mixup", "ratio": {"name": "beta", "alpha": pytest.approx(1.0)}},
        {"name": "cutmix", "probability": 0.5},
    ]


def test_images_that_the_model_cannot_take_are_refused():
    config = trial.resolve({"dataset": "digits", "model": "small_cnn", "mixing": "mixup"})
    with pytest.raises(ConfigError, match="small_cnn needs images of 16 pixels or more, got 8x8"):
        preview.rows([config], trial.load_data(config, 0))


def test_entropy_is_that_of_the_shares_whatever_they_sum_to():
    _, row = rows({"name": "snapmix", "ratio": HALVES})
    assert 0 < row.entropy < math.log(2)
