"""A template is read from plain values, and every impossible domain is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import ConfigError, dotted
from tuner.space import AnyOf, Choice, Constant, Items, Range, Section, is_searchable, parse, warnings


def problems(raw):
    with pytest.raises(ConfigError) as caught:
        parse(raw)
    return {dotted(path): message for path, message in caught.value.problems}


def test_four_words_make_a_domain_and_all_else_is_constant():
    template = parse({"a": {"low": 1, "high": 3}, "b": {"any": [1, "x"]}, "c": {"choice": {"d": None}}, "e": [1, {}]})
    assert template == Section(
        {
            "a": Range(1, 3),
            "b": AnyOf((1, "x")),
            "c": Choice({"d": Section({})}),
            "e": Items((Constant(1), Section({}))),
        }
    )


def test_range_is_of_whole_numbers_only_when_both_ends_are():
    assert parse({"low": 1, "high": 3}).integers
    assert not parse({"low": 1, "high": 3.0}).integers


@pytest.mark.parametrize("key", ["name", "import"])
def test_section_that_names_or_imports_a_part_is_never_a_range(key):
    assert not is_searchable(parse({key: "uniform", "low": 0.1, "high": 0.9}))


@pytest.mark.parametrize(
    ("raw", "path", "words"),
    [
        ({"low": 2, "high": 1}, "low", "low 2 must be below high 1"),
        ({"low": 1, "high": 1}, "low", "must be below"),
        ({"low": 0, "high": 1.0, "log": True}, "low", "a log range needs low > 0, read 0"),
        ({"low": 1, "high": 9, "log": True, "step": 2}, "step", "leave out log or step"),
        ({"low": 0.0, "high": 1.0, "step": 2}, "step", "step 2 is larger than the range 0.0 to 1.0"),
        ({"low": 0.0, "high": 1.0, "step": 0}, "step", "step must be > 0, read 0"),
        ({"low": 0.0, "high": 1.0, "step": 1e-12}, "step", "leave it out"),
        ({"low": 0, "high": 4, "step": 0.5}, "step", "write 0.0"),
        ({"low": float("nan"), "high": 1}, "low", "wanted a finite number, read nan"),
        ({"low": 0, "high": float("inf")}, "high", "wanted a finite number, read inf"),
        ({"low": -1.7e308, "high": 1.7e308}, "high", "too wide"),
        ({"low": 0, "high": 2**60}, "high", "within 2^53"),
        ({"low": "no", "high": 1}, "low", "wanted a number, read the text 'no'"),
        ({"low": 0.1, "high": "1e-3x"}, "high", "wanted a number, read the text '1e-3x'"),
        ({"low": True, "high": 3}, "low", "wanted a number, read true"),
        ({"low": 1, "high": 3, "log": "yes"}, "log", "wanted true or false, read the text 'yes'"),
        ({"low": 1}, "", "the range needs high too"),
        ({"high": 1}, "", "the range needs low too"),
        ({"low": 1, "high": 2, "stpe": 1}, "stpe", "did you mean step?"),
        ({"any": []}, "any", "at least one value"),
        ({"any": 3}, "any", "wanted a list"),
        ({"any": [1, 2, 1.0]}, "any[2]", "twice"),
        ({"any": [[0], [0]]}, "any[1]", "twice"),
        ({"any": [float("inf")]}, "any[0]", "finite"),
        ({"any": [{"low": 1, "high": 2}]}, "any[0]", "use choice"),
        ({"any": [1], "step": 1}, "step", "unknown key 'step'"),
        ({"choice": {}}, "choice", "at least one branch"),
        ({"choice": ["mixup"]}, "choice", "at least one branch"),
        ({"choice": {"a": 3}}, "choice.a", "wanted the branch's keys"),
        ({"choice": {"a": {"choice": {"b": {}}}}}, "choice.a", "wanted the branch's keys"),
        ({"choice": {"a": {"name": "b"}}}, "choice.a.name", "has its name already"),
    ],
)
def test_impossible_domain_is_named_where_it_stands(raw, path, words):
    assert words in problems(raw)[path]


def test_all_mistakes_are_reported_at_once():
    assert set(problems({"a": {"low": 2, "high": 1}, "b": [{"any": []}], "c": {"choice": {}}})) == {
        "a.low",
        "b[0].any",
        "c.choice",
    }


def test_two_domains_never_share_a_parameter_name():
    assert "'a.b'" in problems({"a": {"b": {"any": [1, 2]}}, "a.b": {"any": [1, 2]}})[""]


def test_true_and_one_are_different_values():
    assert parse({"any": [1, True]}) == AnyOf((1, True))


def test_domain_with_one_value_and_step_that_misses_the_end_are_warnings():
    template = parse(
        {
            "a": {"choice": {"mixup": {}}},
            "b": {"any": [2]},
            "c": {"low": 0.0, "high": 1.0, "step": 0.3},
            "d": {"any": [1, 2]},
        }
    )
    found = {dotted(path): message for path, message in warnings(template)}
    assert set(found) == {"a", "b", "c"}
    assert "one branch" in found["a"]
    assert "largest value is 0.9" in found["c"]


@given(st.floats(0.001, 10), st.integers(1, 40), st.floats(0.001, 2))
def test_largest_drawn_value_is_a_step_within_the_range(low, steps, step):
    domain = parse({"low": low, "high": low + steps * step + step / 2, "step": step})
    assert domain.steps in (steps, steps + 1)
    assert domain.top <= domain.high
    assert domain.at(0) == low


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["low", "high", "log", "step", "any", "choice", "name", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(plain)
def test_any_plain_value_is_a_template_or_a_config_error(raw):
    try:
        template = parse(raw)
    except ConfigError:
        return
    warnings(template)
