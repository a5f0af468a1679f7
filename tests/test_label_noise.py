"""Wrong labels: as many as asked for, the same in every trial, and none in the test split."""

from __future__ import annotations

import numpy as np
import pytest

from tuner import trial
from tuner.datasets.digits import digits
from tuner.datasets.split import cut
from tuner.label_noise import with_label_noise


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_share_of_the_labels_is_drawn_anew_from_all_classes(share):
    known, noisy = digits(), with_label_noise(of="digits", share=share)
    wrong = (known.training.labels != noisy.training.labels).mean()
    assert wrong == pytest.approx(share * 0.9, abs=0.03)  # one of ten is drawn right
    assert (noisy.training.images == known.training.images).all()
    assert (noisy.load_test().labels == known.load_test().labels).all()


def test_the_same_labels_are_wrong_each_time_and_others_by_another_seed():
    one, again, other = (with_label_noise(of="digits", noise_seed=seed).training.labels for seed in (0, 0, 1))
    assert (one == again).all()
    assert (one != other).any()


def test_a_study_file_can_name_it_with_its_share():
    noise = {"import": "tuner.label_noise:with_label_noise", "of": "digits", "share": 0.5}
    config = trial.resolve({"dataset": noise, "model": "mlp"})
    split = trial.load_data(config, 0)
    assert len(np.unique(split.training.labels)) == 10
    with pytest.raises(ValueError, match="share"):
        trial.resolve({"dataset": {**noise, "share": 2.0}, "model": "mlp"})


@pytest.mark.parametrize("seed", [0, 1])
def test_the_validation_examples_have_as_many_wrong_labels_as_the_others(seed):
    known = digits().training
    truth = {image.tobytes(): label for image, label in zip(known.images, known.labels, strict=True)}
    noisy = with_label_noise(of="digits", share=0.4, noise_seed=seed)
    split = cut("digits", noisy, seed, validation_examples=400)
    for part in (split.training, split.validation):
        wrong = [label != truth[image.tobytes()] for image, label in zip(part.images, part.labels, strict=True)]
        assert np.mean(wrong) == pytest.approx(0.36, abs=0.08)  # one of ten is drawn right
