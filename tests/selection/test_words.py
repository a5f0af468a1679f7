"""How differences are written."""

from __future__ import annotations

import pytest

from tuner.selection.words import amount, chance, counted, gain, interval


@pytest.mark.parametrize("metric", ["val_accuracy", "test_accuracy", "test_ece"])
def test_shares_are_told_in_points(metric):
    assert gain(metric, 0.0123) == "+1.23 points"
    assert amount(metric, -0.0123) == "1.23 points"
    assert interval(metric, -0.002, 0.01) == "-0.20 to +1.00 points"


def test_other_metrics_keep_their_unit():
    assert gain("test_nll", -0.0123) == "-0.0123"
    assert amount("test_nll", -0.0123) == "0.0123"
    assert interval("test_nll", -0.002, 0.01) == "-0.0020 to +0.0100"


def test_tiny_chances_are_bounded_not_written_as_zero():
    assert chance(0.0) == "p < 0.001"
    assert chance(0.0234) == "p = 0.023"


def test_one_thing_is_no_plural():
    assert [counted(number, "seed") for number in (0, 1, 2)] == ["0 seeds", "1 seed", "2 seeds"]
