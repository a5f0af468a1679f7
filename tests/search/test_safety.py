"""What each rung would have made of the trials that ran to the end, on examples worked by hand."""

from __future__ import annotations

import json

import pytest

from tuner.results import TrialRecord, TrialState
from tuner.search.asha import Asha
from tuner.search.safety import safety

NINE = Asha(9, grace_epochs=1, reduction=3)  # rungs after epochs 1 and 3


def finished(number, first, third, last, *, baseline=False, method="mixup"):
    return record(
        number, (first, first, third, third, third, third, third, third, last), baseline=baseline, method=method
    )


def record(number, curve, *, baseline=False, method="mixup"):
    state = TrialState.COMPLETE if len(curve) == 9 else TrialState.PRUNED
    config = {"mixing": {"name": method}}
    return TrialRecord(number, state, "", {}, tuple(curve), {}, 0, baseline, config)


def in_order(count):
    return [finished(n, 0.1 + 0.01 * n, 0.5 + 0.01 * n, 0.8 + 0.01 * n) for n in range(count)]


def test_where_early_and_final_ranks_agree_stopping_is_safe():
    found = safety(in_order(6), NINE, "none")
    assert found.is_safe
    assert [(rung.epoch, rung.stopped, rung.wrong, rung.regret, rung.tau, rung.pairs) for rung in found.rungs] == [
        (1, 4, 0, 0.0, pytest.approx(1), 15),
        (3, 4, 0, 0.0, pytest.approx(1), 15),
    ]
    assert found.grace_epochs is None


def test_a_slow_baseline_that_ends_best_shows_that_a_rung_stops_too_early():
    slow = finished(6, first=0.05, third=0.9, last=0.95, baseline=True)
    found = safety([*in_order(6), slow], NINE, "none")
    first, third = found.rungs
    # Of seven the two best go on: 5 and 4, so the best that was kept is 0.85.
    assert (first.stops_best, first.stopped, first.wrong, first.regret) == (True, 5, 1, pytest.approx(0.1))
    assert first.tau == pytest.approx((15 - 6) / 21)
    assert not third.stops_best
    assert found.is_safe is False
    assert found.grace_epochs == 3
    assert found.words == (
        "stopping was not safe, by 7 trials that ran to the end, 1 of them never at risk: epoch 1 would have stopped "
        "the best trial; set scheduler.grace_epochs: 3"
    )


def test_the_slow_baseline_is_no_harm_in_a_stratum_of_its_own():
    slow = finished(6, first=0.05, third=0.9, last=0.95, baseline=True, method="cutmix")
    found = safety([*in_order(6), slow], NINE, "method")
    assert found.is_safe
    assert found.rungs[0].tau == pytest.approx(1)


def test_what_was_stopped_raises_the_bar():
    stopped = [record(n, [0.5]) for n in (6, 7, 8)]
    first, third = safety([*in_order(6), *stopped], NINE, "none").rungs
    assert first.stopped == 6
    assert first.stops_best
    assert (third.stopped, third.stops_best) == (4, False)


def test_a_rung_that_keeps_the_worse_of_each_pair_is_not_safe_even_if_it_keeps_the_best():
    swapped = [finished(n, 0.1 + 0.01 * n, 0.5, 0.9 if n == 5 else 0.89 - 0.01 * n) for n in range(6)]
    first = safety(swapped, NINE, "none").rungs[0]
    # 4 and 5 go on; 0 to 3 end better than 4.
    assert (first.stopped, first.wrong, first.stops_best, first.wrong_share) == (4, 4, False, pytest.approx(2 / 3))
    assert not first.is_safe


def test_no_grace_period_helps_where_the_last_epoch_turns_everything_round():
    turned = [finished(n, 0.1 + 0.01 * n, 0.5 + 0.01 * n, 0.9 - 0.01 * n) for n in range(6)]
    found = safety(turned, NINE, "none")
    assert found.grace_epochs == 9
    assert found.words.endswith("no grace period would have been; use scheduler.name: fifo")
    assert found.rungs[0].tau == pytest.approx(-1)


def test_a_loss_is_better_when_it_is_smaller():
    losses = [finished(n, 2.0 - 0.01 * n, 1.0 - 0.01 * n, 0.5 - 0.01 * n) for n in range(6)]
    slow = finished(6, first=3.0, third=0.2, last=0.1, baseline=True)
    first, third = safety([*losses, slow], Asha(9, 1, 3, maximise=False), "none").rungs
    assert (first.stops_best, first.regret) == (True, pytest.approx(0.35))
    assert not third.stops_best


def test_losing_no_more_than_luck_is_no_harm():
    """The best is stopped, but what is kept is nearly as good: 0.001 where final values spread over 0.05."""
    alike = finished(6, first=0.05, third=0.9, last=0.851)
    found = safety([*in_order(6), alike], NINE, "none")
    first = found.rungs[0]
    assert (first.stops_best, first.loses_best, first.regret) == (True, False, pytest.approx(0.001))
    assert first.wrong == 1  # it ended 0.011 above one that was kept
    assert found.is_safe


def test_few_can_warn_where_the_best_was_never_at_risk():
    slow = finished(4, first=0.05, third=0.9, last=0.95, baseline=True)
    assert safety([*in_order(4), slow], NINE, "none").is_safe is False
    drawn = finished(4, first=0.05, third=0.9, last=0.95)
    assert safety([*in_order(4), drawn], NINE, "none").is_safe is None


def test_few_finished_trials_cannot_tell():
    found = safety(in_order(1), NINE, "none")
    assert found.is_safe is None
    assert found.words == "1 trial ran to the end: too few to tell whether stopping was safe (6 can)"
    assert found.rungs[0].tau is None
    nothing = safety([], NINE, "none")
    assert (nothing.finished, nothing.rungs[0].wrong_share) == (0, 0.0)


def test_equal_values_tell_nothing_and_stop_nobody():
    found = safety([finished(n, 0.1, 0.5, 0.8 + 0.01 * n) for n in range(6)], NINE, "none")
    assert [(rung.stopped, rung.tau) for rung in found.rungs] == [(0, None), (0, None)]


def test_without_rungs_nothing_is_stopped():
    assert safety(in_order(6), Asha(9, grace_epochs=9), "none").is_safe


def test_it_is_plain_json_and_a_flat_summary():
    found = safety(in_order(6), NINE, "none")
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["rungs"][0]["wrong_share"] == 0.0
    assert found.summary()["rung_1_tau"] == pytest.approx(1)
    assert found.summary()["stopping"] == found.words
