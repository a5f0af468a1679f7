"""A model that hangs, in a real worker: its trial fails with the reason, its process goes, the study ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.search.conftest import begin
from tuner.search import adapters
from tuner.search.adapters import SilenceWatch

MODEL = """
import time
from torch import nn

class Net(nn.Module):
    def __init__(self, image, classes, *, hangs: bool):
        super().__init__()
        self.head = nn.Linear(image.channels * image.height * image.width, classes)
        self.hangs = hangs
        self.steps = 0

    def forward(self, images):
        self.steps += self.training
        while self.hangs and self.steps > 30:  # in the second epoch: the study's own checks train a step or two
            time.sleep(1)
        return self.head(images.flatten(1))
"""

STUDY = """
name: hanging
trial:
  dataset: digits
  model: {import: hanging:Net, hangs: {any: [true, false]}, stages: [head]}
  training: {epochs: 3, batch_size: 64}
  mixing: none
search: {sampler: grid, trials: 4}
scheduler: {name: fifo}
resources: {concurrent: 1}
limits: {trial_silence_minutes: 0.25}
"""

TUNER = [sys.executable, "-c", "from tuner.cli import main; main()"]


class Listened(SimpleNamespace):
    """What the watch needs of Ray's trial."""

    __hash__ = object.__hash__


def listened(number: int) -> Listened:
    return Listened(config={"number": number}, temporary_state=SimpleNamespace(ray_actor=None))


def test_silence_is_allowed_ten_times_the_longest_epoch_and_ten_minutes_at_least(load, monkeypatch):
    watch = SilenceWatch(begin(load()))
    assert watch.allowed_seconds() == 600
    monkeypatch.setattr(adapters, "_LEAST_SILENCE_SECONDS", 0.1)
    one = listened(0)
    watch.on_trial_start(0, [one], one)
    time.sleep(0.2)
    watch.on_trial_result(0, [one], one, {})
    assert 2 <= watch.allowed_seconds() < 60


def test_only_what_runs_is_listened_to(load):
    search = begin(load("limits.trial_silence_minutes=0.001"))
    number = search.ask().number
    watch = SilenceWatch(search)
    one = listened(number)
    watch.on_step_end(0, [one])
    watch.on_trial_start(0, [one], one)
    watch.on_trial_error(0, [one], one)  # its process was lost, and a new one is waited for
    time.sleep(0.1)
    watch.on_step_end(0, [one])
    assert "cause" not in search.study.trials[number].user_attrs
    watch.on_trial_start(0, [one], one)
    time.sleep(0.1)
    watch.on_step_end(0, [one])
    assert "it hung" in search.study.trials[number].user_attrs["cause"]


def test_time_in_which_the_driver_itself_waited_is_no_silence(load, monkeypatch):
    monkeypatch.setattr(adapters, "_DEAF_SECONDS", 0.1)
    search = begin(load("limits.trial_silence_minutes=0.005"))
    number = search.ask().number
    watch = SilenceWatch(search)
    one = listened(number)
    watch.on_trial_start(0, [one], one)
    watch.on_step_begin(1, [one])
    time.sleep(0.5)  # for the storage, say
    watch.on_step_end(1, [one])
    assert "cause" not in search.study.trials[number].user_attrs


@pytest.mark.ray
@pytest.mark.heavy
def test_a_trial_that_hangs_is_ended_and_the_study_goes_on(tmp_path: Path):
    (tmp_path / "hanging.py").write_text(MODEL)
    (tmp_path / "hanging.yaml").write_text(STUDY)
    own = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "TUNER_"))}
    done = subprocess.run(
        [*TUNER, "run", "hanging.yaml", "--json"],
        cwd=tmp_path, env=own | {"TUNER_HOME": str(tmp_path / "home")}, capture_output=True, text=True, timeout=220,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    listed = subprocess.run(
        [*TUNER, "trials", "hanging", "--json"],
        cwd=tmp_path, env=own | {"TUNER_HOME": str(tmp_path / "home")}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    trials = json.loads(listed.stdout)
    hung = [trial for trial in trials if trial["params"]["model.hangs"]]
    assert hung
    assert all(trial["state"] == "failed" for trial in hung)
    assert all(re.match(r"reported nothing for \d+ seconds after epoch 1: it hung", t["cause"]) for t in hung)
    assert all(trial["state"] == "complete" for trial in trials if trial not in hung)
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in left
