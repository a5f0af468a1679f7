"""YAML text becomes values with places; what YAML would do silently is refused with line and column."""

from __future__ import annotations

import math

import pytest

from tuner.errors import StudyFileError
from tuner.spec.document import compose


def read(text):
    node, mistakes = compose(text, "f")
    assert mistakes == []
    return node.plain


def complaints(text):
    """Return the lines of all mistakes, whether or not they leave a tree."""
    try:
        return [str(mistake) for mistake in compose(text, "f")[1]]
    except StudyFileError as error:
        return str(error).splitlines()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("12_000", "12_000"),
        ("1e-3x", "1e-3x"),
        ("'3'", "3"),
        ("1e-3", 0.001),
        ("-.5", -0.5),
        ("1.", 1.0),
        (".inf", math.inf),
        ("-3", -3),
        ("012", 12),
        ("0o17", 15),
        ("0xfF", 255),
        ("True", True),
        ("~", None),
        ("", None),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    found = read(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


def test_version_directive_does_not_bring_back_yaml_1_1():
    assert read("%YAML 1.1\n---\na: no") == {"a": "no"}


def test_keys_are_text():
    assert read("1: a\nno: b\nnull: c") == {"1": "a", "no": "b", "null": "c"}


def test_place_is_that_of_the_key_or_the_list_item():
    node, _ = compose("a:\n  b: 1\n  c: [x,\n      y]\n", "f")
    places = [node.at(path).place for path in (("a", "b"), ("a", "c", 1), ("a", "c", 9), ("a", "zzz", "y"))]
    assert [(place.line, place.column) for place in places] == [(2, 3), (4, 7), (3, 3), (1, 1)]


def test_every_duplicate_key_is_reported_at_its_second_place():
    assert complaints("a: 1\nb: {c: 1, c: 2}\nd: [{e: 1, e: 2}]\na: 3") == [
        "f:2:11: b.c: duplicate key 'c', first on line 2; remove one",
        "f:3:12: d[0].e: duplicate key 'e', first on line 3; remove one",
        "f:4:1: a: duplicate key 'a', first on line 1; remove one",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "a: !!python/object:os.system {}",
            "f:1:4: a: the tag 'tag:yaml.org,2002:python/object:os.system' is not read",
        ),
        ("a: [1, !x 2]", "f:1:8: a[1]: the tag '!x' is not read"),
        ("a: ! 3", "f:1:4: a: the tag '!' is not read"),
        ("!x a: 3", "f:1:1: the tag '!x' is not read"),
        ("a: !!int '3'", "f:1:4: a: the tag 'tag:yaml.org,2002:int' is not read"),
    ],
)
def test_tags_are_refused(text, line):
    assert complaints(text)[0].startswith(line)


def test_alias_repeats_what_its_anchor_holds():
    assert read("a: &x {b: [1]}\nc: *x") == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_aliases_that_expand_without_bound_are_refused():
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
    assert "more than 20000 values" in complaints(bomb)[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "f:1:6: not YAML"),
        ("a:\n\tb: 1", "spaces, not tabs"),
        ("a: 1\n---\nb: 2", "f:2:1: a study file holds one document"),
        ("a: *x", "f:1:4: *x refers to nothing above it"),
        ("a: &x [*x]", "*x refers to nothing above it"),
        ("? [1]\n: 2", "a key must be plain text"),
        ("a: 'b\0'", "f:1:6: not YAML: special characters are not allowed"),
        ('a: "\\U00110000"', "f:1:1: not YAML: chr() arg not in range"),
        ('a: "\\ud800"', "f:1:4: a: '\\ud800' is not Unicode text"),
        ("%YAML 1.99999999999999999999\n---\na: 1", "f:1:1: not YAML"),
        ("[" * 5000, "nested more than 40 levels deep"),
        ("- " * 5000, "nested more than 40 levels deep"),
        (f"a: {'9' * 5000}", "a whole number of 5000 digits is too large"),
        (f"a: {2**63}", "too large"),
    ],
)
def test_text_that_cannot_be_read_says_where_and_why(text, words):
    assert words in complaints(text)[0]


def test_messages_cannot_forge_lines_or_control_a_terminal():
    (line,) = complaints('"a\\n\\e[31m": 1\n"a\\n\\e[31m": 2')
    assert line.isprintable()
