"""Scores worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from tuner.training.metrics import calibration_error, scores


def test_calibration_error_worked_by_hand():
    # Two at 0.95, one of them right, and two at 0.62, both right: half of |0.5 - 0.95| and half of |1 - 0.62|.
    confidence, hits = torch.tensor([0.95, 0.95, 0.62, 0.62]), torch.tensor([1.0, 0.0, 1.0, 1.0])
    assert float(calibration_error(confidence, hits)) == pytest.approx(0.5 * 0.45 + 0.5 * 0.38)


def test_errors_of_opposite_sign_cancel_within_a_bin_and_not_across():
    hits = torch.tensor([1.0, 0.0])
    assert float(calibration_error(torch.tensor([0.5, 0.5]), hits)) == pytest.approx(0.0)
    assert float(calibration_error(torch.tensor([0.5, 0.6]), hits)) == pytest.approx((0.5 + 0.6) / 2)


def test_bins_are_closed_above():
    # 3/15 belongs to the bin that ends there, together with 0.19; 0.21 to the next.
    edge = torch.tensor([3 / 15, 0.19, 0.21], dtype=torch.float64)
    hits = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    assert float(calibration_error(edge, hits)) == pytest.approx(((1 - 0.2 - 0.19) + 0.21) / 3)


def test_calibration_error_is_that_of_a_plain_loop(rng):
    confidence, hits = torch.rand(500, generator=rng), (torch.rand(500, generator=rng) < 0.6).float()
    expected = 0.0
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        if inside.any():
            gap = abs(hits[inside].mean() - confidence[inside].mean())
            expected += float(gap) * int(inside.sum()) / 500
    assert float(calibration_error(confidence, hits)) == pytest.approx(expected, abs=1e-5)


def test_scores_worked_by_hand():
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.1, 0.8, 0.1]]))
    measured = scores(logits, torch.tensor([0, 1, 1]))
    assert measured.accuracy == pytest.approx(2 / 3)
    assert measured.nll == pytest.approx(-(math.log(0.7) + math.log(0.3) + math.log(0.8)) / 3, abs=1e-6)
    assert measured.ece == pytest.approx((0.3 + 0.6 + 0.2) / 3, abs=1e-6)


def test_certain_and_right_is_perfect_and_certain_and_wrong_is_finite():
    logits = torch.tensor([[1e4, 0.0], [1e4, 0.0]])
    right, wrong = scores(logits, torch.tensor([0, 0])), scores(logits, torch.tensor([1, 1]))
    assert (right.accuracy, right.nll, right.ece) == (1.0, 0.0, 0.0)
    assert (wrong.accuracy, wrong.nll, wrong.ece) == (0.0, 1e4, 1.0)


def test_nan_logits_give_nan_scores():
    measured = scores(torch.tensor([[math.nan, 0.0], [1.0, 0.0]]), torch.tensor([0, 0]))
    assert math.isnan(measured.nll)
    assert math.isnan(measured.ece)
