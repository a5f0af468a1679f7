"""How differences are written."""

from __future__ import annotations

import pytest

from tuner.selection.words import amount, chance, counted, difference, gain, interval, number


@pytest.mark.parametrize("metric", ["val_accuracy", "test_accuracy", "test_ece"])
def test_shares_are_told_in_points(metric):
    assert gain(metric, 0.0123) == "+1.23 points"
    assert amount(metric, -0.0123) == "1.23 points"
    assert interval(metric, -0.002, 0.01) == "-0.20 to +1.00 points"


def test_likelihood_and_loss_are_told_in_nats():
    assert gain("test_nll", -0.0123) == "-0.0123 nats"
    assert amount("test_nll", -0.0123) == "0.0123 nats"
    assert interval("test_nll", -0.002, 0.01) == "-0.0020 to +0.0100 nats"
    assert gain("train_loss", -0.0123) == "-0.0123 nats"


def test_what_is_written_as_0_has_no_sign():
    assert gain("val_accuracy", -0.00001) == gain("val_accuracy", 0.00001) == amount("val_accuracy", 0) == "0.00 points"
    assert interval("val_nll", -0.00001, 0.01) == "0.0000 to +0.0100 nats"


def test_tiny_chances_are_bounded_not_written_as_zero():
    assert chance(0.0) == "p < 0.001"
    assert chance(0.0234) == "p = 0.023"


def test_one_thing_is_no_plural():
    assert [counted(number, "seed") for number in (0, 1, 2)] == ["0 seeds", "1 seed", "2 seeds"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (54.0835, "54.08"),
        (45321.6, "45322"),
        (0.0123456, "0.01235"),
        (0.0, "0.0000"),
        (-0.0, "0.0000"),
        (1.5e-30, "0.000000000000"),
    ],
)
def test_an_error_in_the_targets_unit_has_four_digits_however_large(value, told):
    assert number("val_rmse", value) == told


def test_differences_of_errors_have_no_unit_and_both_ends_of_an_interval_the_same_digits():
    assert gain("test_rmse", 1.2514) == "+1.25"
    assert gain("test_mae", -321.44) == "-321"
    assert amount("test_rmse", -0.6988) == "0.699"
    assert interval("test_rmse", -0.06345, 1.461) == "-0.06 to +1.46"
    assert interval("val_r2", -0.0072, 0.0401) == "-0.0072 to +0.0401"
    assert gain("val_r2", 0.02) == "+0.0200"
    assert difference("val_rmse", 0.0) == difference("val_rmse", -0.0) == "0.000"
    assert interval("test_accuracy", -0.008, 0.0268) == "-0.80 to +2.68 points"
