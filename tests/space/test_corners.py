"""Corners show every branch, value and end of a range, and know where in the file each came from."""

from __future__ import annotations

import pytest

from tuner.errors import ConfigError
from tuner.results import flatten
from tuner.space import corners, grid, parse


def test_corners_are_all_combinations_while_these_are_few():
    template = parse({"a": {"low": 0, "high": 9}, "b": {"any": ["x", "y", "z"]}, "c": 7})
    assert sorted((c.config["a"], c.config["b"], c.config["c"]) for c in corners(template)) == [
        (a, b, 7) for a in (0, 9) for b in ("x", "y", "z")
    ]


def test_each_alternative_appears_when_combinations_are_many():
    raw = {f"k{i}": {"any": [0, 1, 2]} for i in range(9)} | {
        "mixing": {"choice": {"none": {}, "mixup": {"alpha": {"low": 0.1, "high": 8.0}}}}
    }
    found = corners(parse(raw), limit=100)
    assert len(found) == 3
    for key in raw.keys() - {"mixing"}:
        assert {corner.config[key] for corner in found} == {0, 1, 2}
    flat = [flatten(corner.config["mixing"]) for corner in found]
    assert {leaf.get("alpha") for leaf in flat} == {None, 0.1, 8.0}


def test_constant_template_has_one_corner():
    assert [corner.config for corner in corners(parse({"a": {"b": [1, 2]}}))] == [{"a": {"b": [1, 2]}}]


def test_path_of_a_corner_leads_back_to_the_line_that_wrote_it():
    ratio = {"choice": {"beta": {"alpha": {"low": 0.05, "high": 8.0}, "per": "batch"}}}
    template = parse({"mixing": {"choice": {"mixup": {"depths": {"any": [[0], [1, 2]]}, "ratio": ratio}}}})
    corner = next(c for c in corners(template) if c.config["mixing"]["depths"] == [1, 2])
    mixup = ("mixing", "choice", "mixup")
    assert corner.config["mixing"]["ratio"]["alpha"] == 0.05
    assert corner.origin_of(("mixing", "ratio", "alpha")) == (*mixup, "ratio", "choice", "beta", "alpha", "low")
    assert corner.origin_of(("mixing", "ratio", "per")) == (*mixup, "ratio", "choice", "beta", "per")
    assert corner.origin_of(("mixing", "ratio", "name")) == (*mixup, "ratio", "choice", "beta")
    assert corner.origin_of(("mixing", "depths", 1)) == (*mixup, "depths", "any", 1, 1)
    assert corner.origin_of(("mixing", "probabilty")) == (*mixup, "probabilty")
    assert corner.origin_of(("model", "name")) == ("model", "name")


def test_grid_lists_every_point_once():
    template = parse(
        {
            "mixing": {
                "choice": {
                    "none": {},
                    "mixup": {"p": {"low": 0.1, "high": 0.4, "step": 0.1}, "n": {"low": 2, "high": 3}},
                }
            }
        }
    )
    points = grid(template)
    assert points[0] == {"mixing": "none"}
    assert [(point["mixing.mixup.p"], point["mixing.mixup.n"]) for point in points[1:]] == [
        (p, n) for p in (0.1, 0.2, 0.3, 0.4) for n in (2, 3)
    ]


def test_grid_of_a_real_range_says_what_to_add():
    with pytest.raises(ConfigError, match=r"a\.b: .*add step, or use any"):
        grid(parse({"a": {"b": {"low": 0.0, "high": 1.0}}}))


def test_endless_grid_is_refused_before_it_is_listed():
    with pytest.raises(ConfigError, match="1000000000000 points"):
        grid(parse({"a": {"low": 1, "high": 10**6}, "b": {"low": 1, "high": 10**6}}))
