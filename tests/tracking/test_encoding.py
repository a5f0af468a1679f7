"""How values stand in MLflow."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.results import flatten
from tuner.tracking.encoding import config, finite_or_nan, not_finite, param_texts, run_name, tag_texts, text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (1.0, "1.0"),
        (5e-05, "0.00005"),
        (1e300, "1e+300"),
        ("beta", "beta"),
        ([0, 1], "[0, 1]"),
    ],
)
def test_value_reads_as_in_a_study_file(value: Any, expected: str):
    assert text(value) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_survives_the_text(value: float):
    assert float(text(value)) == value


@given(st.floats(1e-11, 9.99), st.floats(1e-11, 9.99))
def test_numbers_below_ten_sort_as_text(low: float, high: float):
    low, high = sorted((low, high))
    assert text(low) <= text(high)


def test_values_and_keys_are_cut_to_the_limits():
    assert len(param_texts({"a": "x" * 7000})["a"]) == 6000
    assert len(tag_texts({"a": "x" * 9000})["a"]) == 8000
    assert [len(key) for key in tag_texts({"k" * 300: 1, "k" * 301: 2})] == [250, 250]


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({}, "trial 7"),
        ({"mixing.name": "none"}, "trial 7 none"),
        (
            {"mixing.name": "mixup", "mixing.ratio.name": "beta", "mixing.ratio.alpha": 0.3087},
            "trial 7 mixup beta 0.31",
        ),
        ({"mixing.name": "cutmix", "mixing.ratio.name": "uniform"}, "trial 7 cutmix uniform"),
    ],
)
def test_run_name_says_method_law_and_alpha(params: dict[str, Any], name: str):
    assert run_name(7, params) == name


def test_infinities_become_nan_and_are_named():
    assert math.isnan(finite_or_nan(-math.inf))
    assert finite_or_nan(0.5) == 0.5
    assert not_finite({"a": 1.0, "b": math.inf, "c": math.nan}) == "b inf, c nan"


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["beta", "x:Y"]),
)
NAMES = st.text("abc_", min_size=1, max_size=3)
SECTIONS = st.recursive(
    st.dictionaries(NAMES, LEAVES | st.lists(st.integers()), min_size=1, max_size=3),
    lambda inner: st.dictionaries(NAMES, inner | st.lists(inner, min_size=1, max_size=3), min_size=1, max_size=3),
    max_leaves=8,
)


@given(SECTIONS)
def test_a_configuration_comes_back_from_its_parameters(written: dict[str, Any]):
    assert config(param_texts(flatten(written))) == written


def test_a_text_that_was_cut_does_not_come_back_as_something_else():
    long = {"mixing.weights": list(range(3000))}
    assert isinstance(config(param_texts(long))["mixing"]["weights"], str)
