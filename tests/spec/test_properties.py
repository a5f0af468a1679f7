"""Whatever stands in a study file, it loads or is refused with places that exist; what is recorded loads again."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tuner.errors import StudyFileError, UsageError
from tuner.spec import load
from tuner.spec.document import compose
from tuner.spec.load import _as_yaml

FUZZ = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

WORDS = """
name seed trial dataset model training loss mixing choice any low high log step mixup none beta ratio alpha epochs
objective metric search trials baselines scheduler grace_epochs resources gpus limits hours digits small_cnn
"""
words = st.sampled_from(WORDS.split())
scalars = words | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=5), max_leaves=15
)


def in_yaml(value):
    text = StringIO()
    YAML(typ="safe", pure=True).dump(value, text)
    return text.getvalue()


def refusal(file, overrides=()):
    """Return the lines in which a study file is refused, if it is; any other error is the test's failure."""
    try:
        load(file, overrides)
    except (StudyFileError, UsageError) as error:
        return str(error).splitlines() or [""]
    return []


def assert_loads_or_points_into(file, text, overrides=()):
    lines = text.splitlines() or [""]
    for complaint in refusal(file, overrides):
        found = re.match(r"study\.yaml(?::(\d+):(\d+))?: |--set ", complaint)
        assert found, complaint
        if found[1]:
            assert int(found[1]) <= len(lines) + 1
            assert int(found[2]) <= len(lines[min(int(found[1]), len(lines)) - 1]) + 1


@FUZZ
@given(st.dictionaries(words, values, max_size=6))
def test_any_values_load_or_are_refused(write, value):
    text = in_yaml(value)
    assert_loads_or_points_into(write(text), text)


@FUZZ
@given(st.data())
def test_any_change_of_a_sound_file_loads_or_is_refused(write, sound, data):
    """Cut somewhere, and put there something that YAML gives a meaning to."""
    start = data.draw(st.integers(0, len(sound)))
    end = start + data.draw(st.integers(0, 12))
    pieces = st.sampled_from(
        ["{", "}", "[", ": ", "- ", "\n", "\t", "&a ", "*a", "!x ", "'", "|", "%", "---\n", "1e999", "<<: "]
    )
    text = sound[:start] + "".join(data.draw(st.lists(pieces | st.text(max_size=3), max_size=3))) + sound[end:]
    text = "".join(
        character for character in text if character not in "\r\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e\ud800\ufeff"
    )
    assert_loads_or_points_into(write(text.encode(errors="ignore").decode()), text)


@FUZZ
@given(st.lists(words, min_size=1, max_size=4), values)
def test_any_argument_is_taken_or_refused(write, sound, path, value):
    override = f"{'.'.join(path)}={in_yaml([value]).removeprefix('- ')}"
    assert_loads_or_points_into(write(sound), sound, [override])


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=4), values, max_size=5))
def test_recorded_text_reads_back_as_the_same_values(value):
    node, mistakes = compose(_as_yaml(value), "source")
    if not mistakes:
        assert repr(node.plain) == repr(value)


def test_recorded_study_loads_as_the_same_study(write, load_text, sound):
    spec = load_text(sound, "trial.training.optimizer.learning_rate=1e-5", "search={baselines: [none]}")
    assert load(write(spec.source)) == spec


@pytest.mark.parametrize(
    "text", ["no", "1e-3", "0o17", "~", "<<", "=", "12_000", "2024-01-01", " a", "a: b", "#", "\n", "é"]
)
def test_recorded_text_stays_text(text):
    assert compose(_as_yaml({"a": text}), "source")[0].plain == {"a": text}
