"""One value against an annotation: what passes, in which type, and what is said of what does not."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Len, Lt
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.values import bounds, checked, describe, shown, understands

Depths = Annotated[tuple[Annotated[int, Ge(0)], ...], Len(1)]
Rate = Annotated[float, Gt(0), Le(1)]
Padding = Literal["valid", "same"]


@pytest.mark.parametrize(
    ("annotation", "value", "result"),
    [
        (float, 3, 3.0),
        (float, 0.5, 0.5),
        (int, 3, 3),
        (bool, True, True),
        (str, "yes", "yes"),
        (Padding, "same", "same"),
        (Rate, 1, 1.0),
        (Depths, [0, 2], (0, 2)),
        (Depths, (1,), (1,)),
        (int | None, None, None),
        (int | str, "auto", "auto"),
        (Literal[1, "auto"], 1, 1),
        (list[float], (1, 2), [1.0, 2.0]),
        (Any, {"a": [1]}, {"a": [1]}),
        (tuple[tuple[float, ...], ...], [[1], [2, 3]], ((1.0,), (2.0, 3.0))),
    ],
)
def test_value_comes_out_in_the_annotations_type(annotation, value, result):
    out = checked(annotation, value)
    assert out == result
    assert type(out) is type(result)


@pytest.mark.parametrize(
    ("annotation", "value", "words"),
    [
        (int, 3.0, "wanted a whole number, read 3.0"),
        (int, True, "wanted a whole number, read true"),
        (float, True, "wanted a number, read true"),
        (float, "1e-3", "wanted a number, read the text '1e-3'"),
        (float, math.nan, "wanted a number, read nan"),
        (float, -math.inf, "wanted a number, read -inf"),
        (bool, 1, "wanted true or false, read 1"),
        (bool, "no", "wanted true or false, read the text 'no'"),
        (str, 5, "wanted text, read 5"),
        (Padding, "Same", "wanted one of valid, same, read the text 'Same'"),
        (Literal[1, 2], True, "wanted one of 1, 2, read true"),
        (Rate, 0, "wanted a number > 0 and <= 1, read 0"),
        (Rate, 1.01, "wanted a number > 0 and <= 1, read 1.01"),
        (Annotated[float, Lt(1)], 1, "wanted a number < 1, read 1"),
        (Depths, [], "wanted a list, each a whole number >= 0 (at least 1), read []"),
        (Depths, [0, -1], "wanted a list, each a whole number >= 0 (at least 1), read [0, -1]"),
        (Depths, 0, "wanted a list, each a whole number >= 0 (at least 1), read 0"),
        (Depths, "01", "wanted a list, each a whole number >= 0 (at least 1), read the text '01'"),
        (Annotated[tuple[float, ...], Len(1, 2)], [1, 2, 3], "wanted a list, each a number (1 to 2), read [1, 2, 3]"),
        (int | None, "x", "wanted a whole number or null, read the text 'x'"),
        (float, None, "wanted a number, read null"),
        (float, {}, "wanted a number, read {}"),
    ],
)
def test_refusal_says_what_is_allowed_and_what_was_read(annotation, value, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        checked(annotation, value)
    assert str(caught.value) == words


def test_whole_number_too_large_for_a_float_is_refused_not_a_crash():
    with pytest.raises(ValueError, match="wanted a number, read 1000"):
        checked(float, 10**400)


@settings(deadline=None)
@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())))
@pytest.mark.parametrize("annotation", [bool, int, float, str, Rate, Depths, Padding, int | None], ids=str)
def test_any_value_is_taken_or_refused_with_words(annotation, value):
    outcome = _taken_or_words(annotation, value)
    if isinstance(outcome, ValueError):
        assert str(outcome) == f"wanted {describe(annotation)}, read {shown(value)}"
    else:
        assert checked(annotation, outcome) == outcome


def _taken_or_words(annotation: Any, value: Any) -> Any:
    try:
        return checked(annotation, value)
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Rate, {"low": 0, "high": 1}),
        (Annotated[int, Ge(2)], {"low": 2}),
        (Annotated[float, Lt(5)], {"high": 5}),
        (Padding, {"choices": ["valid", "same"]}),
        (float, {}),
        (Depths, {}),
    ],
)
def test_bounds_are_those_of_the_annotation(annotation, expected):
    assert bounds(annotation) == expected


@pytest.mark.parametrize(
    "annotation", [int, Any, type(None), str | None, Depths, Rate, Padding, list[int], tuple[float, ...] | None]
)
def test_annotations_that_values_can_be_checked_against_are_told_from_others(annotation):
    assert understands(annotation)


@pytest.mark.parametrize(
    "annotation", [dict, list, tuple[int, int], dict[str, int], bytes, int | bytes, "int", object()]
)
def test_annotations_that_values_cannot_be_checked_against_are_told_too(annotation):
    assert not understands(annotation)
