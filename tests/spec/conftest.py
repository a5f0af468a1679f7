"""A small sound study on disk, to be changed by each test."""

from __future__ import annotations

import pytest

from tuner.errors import StudyFileError
from tuner.spec import load

STUDY = """\
name: small
trial:
  dataset: digits
  model: {name: small_cnn, padding: same}
  training:
    epochs: 4
    optimizer: {name: sgd, learning_rate: 0.1, momentum: 0.8}
  mixing:
    choice:
      none: {}
      mixup:
        ratio:
          choice:
            beta: {alpha: {low: 0.05, high: 8.0, log: true}}
            dirichlet: {count: {low: 3, high: 4}, alpha: {low: 0.1, high: 1.0}}
      cutmix: {ratio: {name: beta, alpha: 1.0}}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file beside the others and return its name."""
    monkeypatch.chdir(tmp_path)

    def write_file(text, name="study.yaml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write_file


@pytest.fixture
def load_text(write):
    """Load the text of a study file."""
    return lambda text, *overrides: load(write(text), overrides)


@pytest.fixture
def complaints(load_text):
    """Return the lines in which the text of a study file is refused."""

    def lines(text, *overrides):
        with pytest.raises(StudyFileError) as caught:
            load_text(text, *overrides)
        return str(caught.value).splitlines()

    return lines


@pytest.fixture
def sound():
    return STUDY
