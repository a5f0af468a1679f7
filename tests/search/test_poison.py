"""Faults, line 17: a process whose device may be spoilt trains no other trial; a real worker, an error by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODEL = """
import os
from pathlib import Path

import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, image, classes, *, kind: str):
        super().__init__()
        self.head = nn.Linear(image.channels * image.height * image.width, classes)
        self.kind = kind
        self.register_buffer("steps", torch.zeros(()))  # goes on where a checkpoint does

    def forward(self, images):
        self.steps += self.training
        # In the second epoch, for the study's own checks train a step or two; and at once in a process that goes on.
        if self.training and float(self.steps) > 30:
            with (Path(__file__).parent / "processes.txt").open("a") as file:
                file.write(f"{self.kind} {os.getpid()}\\n")
            if self.kind == "poison":
                raise torch.AcceleratorError("CUDA error: device-side assert triggered")
            if self.kind == "wrong":
                raise ValueError("a mistake of one's own")
        return self.head(images.flatten(1))
"""

STUDY = """
name: poisoned
trial:
  dataset: digits
  model: {import: poisoning:Net, kind: {any: [wrong, poison, sound]}, stages: [head]}
  training: {epochs: 3, batch_size: 64}
  mixing: none
search: {sampler: grid, trials: 6}
scheduler: {name: fifo}
resources: {concurrent: 1}
confirm: {seeds: 0}
"""

TUNER = [sys.executable, "-c", "from tuner.cli import main; main()"]


@pytest.mark.ray
@pytest.mark.heavy
@pytest.mark.timeout(500)
def test_a_process_that_raised_an_accelerators_error_trains_no_other_trial(tmp_path: Path):
    (tmp_path / "poisoning.py").write_text(MODEL)
    (tmp_path / "poisoned.yaml").write_text(STUDY)
    own = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "TUNER_"))}
    own |= {"TUNER_HOME": str(tmp_path / "home")}

    def tuner(*arguments: str) -> str:
        done = subprocess.run(
            [*TUNER, *arguments], cwd=tmp_path, env=own, capture_output=True, text=True, timeout=450, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    tuner("run", "poisoned.yaml", "--json")
    trials = json.loads(tuner("trials", "poisoned", "--json"))
    causes = {trial["params"]["model.kind"]: trial["cause"] for trial in trials}
    assert causes["sound"] == "trained all 3 epochs"
    assert causes["wrong"].startswith("ValueError: a mistake of one's own")
    assert causes["poison"].startswith("its worker was lost: ")
    assert "AcceleratorError: CUDA error: device-side assert triggered" in causes["poison"]
    lines = (tmp_path / "processes.txt").read_text().split("\n")[:-1]
    seen = list(dict.fromkeys(tuple(line.split()) for line in lines))
    poisoned = [process for kind, process in seen if kind == "poison"]
    assert len(poisoned) == len(set(poisoned)) == 4  # a first try and three more, each in a process of its own
    for index, (kind, process) in enumerate(seen):
        assert kind != "poison" or process not in {later for _, later in seen[index + 1 :]}
