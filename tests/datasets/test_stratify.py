from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.datasets.stratify import apportion, hold_out, keep, set_apart, strata


@given(st.lists(st.integers(2, 500), min_size=1, max_size=12), st.data())
def test_apportion_gives_each_class_its_share_to_within_one(sizes, data):
    array = np.array(sizes)
    count = data.draw(st.integers(len(sizes), int(array.sum()) - len(sizes)))
    shares = apportion(array, count, array - 1)
    assert shares.sum() == count
    assert (shares >= 1).all()
    assert (shares < array).all()
    exact = array * count / array.sum()
    if exact.min() >= 1 and (array - exact).min() >= 1:
        assert np.abs(shares - exact).max() <= 1


def test_rare_classes_get_one_example_at_the_cost_of_the_largest():
    assert apportion(np.array([100, 2, 2, 2]), 6, np.array([99, 1, 1, 1])).tolist() == [3, 1, 1, 1]


def test_the_draw_of_a_seed_is_the_same_on_every_machine():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    drawn = keep(labels, ("a", "b"), 4, np.random.PCG64(0))
    raw = [11749869230777074271, 4976686463289251617, 755828109848996024, 304881062738325533]
    assert np.random.PCG64(0).random_raw(4).tolist() == raw
    assert drawn[:4].tolist() == [False, False, True, True]  # the two smallest keys of the first class


def test_a_class_too_small_for_both_parts_is_named_with_its_size():
    with pytest.raises(ValueError, match=r"at least 2 examples.*validation.*dog has 1, emu has 0"):
        set_apart(np.array([0, 0, 1]), ("cat", "dog", "emu"), 3, np.random.PCG64(0), "validation")


def test_a_part_too_small_for_all_classes_says_the_numbers():
    with pytest.raises(ValueError, match=r"validation cannot take 1 of 8 examples .* 2 classes .* choose 2 to 6"):
        set_apart(np.array([0, 0, 0, 0, 1, 1, 1, 1]), ("a", "b"), 1, np.random.PCG64(0), "validation")
    with pytest.raises(ValueError, match=r"cannot keep 1 of 3 .* choose 2 to 3"):
        keep(np.array([0, 0, 1]), ("a", "b"), 1, np.random.PCG64(0))


def test_hold_out_never_changes_and_leaves_no_class_without_test():
    labels = np.repeat(np.arange(3), [80, 17, 3])
    training, test = hold_out(labels, ("a", "b", "c"), 0.15)
    assert np.bincount(labels[test]).tolist() == [12, 2, 1]
    assert np.array_equal(training, ~test)
    assert np.array_equal(test, hold_out(labels, ("a", "b", "c"), 0.15)[1])


@pytest.mark.parametrize("count", [1, 3, 10, 37, 99])
def test_a_regressions_draw_has_its_share_of_every_quantile(count):
    labels = np.random.default_rng(0).lognormal(size=200).astype(np.float32)
    among, names = strata(labels, (), min(count, 200 - count))
    assert len(names) == min(10, count)
    assert all(labels[among == low].max() <= labels[among == low + 1].min() for low in range(len(names) - 1))
    drawn = np.bincount(among[set_apart(among, names, count, np.random.PCG64(1), "validation")], minlength=len(names))
    assert drawn.max() - drawn.min() <= 1


def test_equal_targets_are_shared_out_too():
    among, names = strata(np.zeros(40, np.float32), (), 10)
    assert np.bincount(among).tolist() == [4] * len(names)
