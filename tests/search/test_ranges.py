"""The searched ranges of the ratios' parameters, as Optuna's trials have them."""

from __future__ import annotations

from tests.search.conftest import begin, drive, rising
from tuner.search.ranges import searched

STUDY = """
name: ranges
trial:
  dataset: {name: digits}
  model: {name: small_cnn, padding: same}
  training: {epochs: 3}
  mixing:
    choice:
      none: {}
      mixup:
        probability: {low: 0.25, high: 1.0, step: 0.25}
        ratio:
          choice:
            beta: {alpha: {low: 0.05, high: 8.0, log: true}}
            truncated_normal: {sigma: {low: 0.1, high: 0.5}}
      cutmix: {ratio: {name: beta, alpha: {any: [0.5, 1.0, 2.0]}}}
      fmix: {ratio: {name: beta, alpha: 1.0}}
search: {trials: 24, sampler: random}
scheduler: {name: fifo}
"""


def test_each_method_and_distribution_has_the_range_it_is_drawn_from(load):
    search = begin(load(text=STUDY))
    drive(search, rising)
    assert searched(search.study) == {
        ("mixup", "beta"): (0.05, 8.0),
        ("mixup", "truncated_normal"): (0.1, 0.5),
        ("cutmix", "beta"): (0.5, 2.0),
    }


def test_a_study_without_trials_has_no_ranges(load):
    assert searched(begin(load(text=STUDY)).study) == {}
