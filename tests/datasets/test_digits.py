from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from tuner.datasets.digits import digits, load_test


def test_every_digit_is_in_training_or_test_and_scaled_to_bytes():
    training, test = digits().training, load_test()
    assert (len(training), len(test)) == (1438, 359)
    seen = np.sort(np.concatenate([training.images, test.images]).reshape(-1, 64).sum(axis=1))
    expected = np.sort(np.rint(load_digits().data * 255 / 16).sum(axis=1))
    assert np.array_equal(seen, expected)
