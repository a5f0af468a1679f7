"""A study of one's own model and data, run as its owner does: the files in the current folder, Ray's own processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import readme

DATA = """
import numpy as np
from tuner.datasets import Dataset, Examples

def some(count, seed):
    labels = np.arange(count) % 2
    images = np.random.default_rng(seed).integers(0, 100, (count, 1, 8, 8), dtype=np.uint8)
    return Examples(images + (155 * labels[:, None, None, None]).astype(np.uint8), labels)

def test():
    return some(20, 1)

def load(*, count: int):
    return Dataset(("dark", "bright"), some(count, 0), test)
"""

# `-P`: an installed command, unlike `python -m`, does not look for modules in the current folder.
TUNER = [sys.executable, "-P", "-c", "from tuner.cli import main; main()"]


def tuner(folder: Path, *arguments: str) -> Any:
    own = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "TUNER_"))}
    done = subprocess.run(
        [*TUNER, *arguments], cwd=folder, env=own, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.ray
@pytest.mark.heavy
@pytest.mark.timeout(300)
def test_own_model_and_data_reach_rays_workers_and_a_resume(tmp_path):
    (tmp_path / "my_models.py").write_text(readme.python_with("class Network"))
    (tmp_path / "my_data.py").write_text(DATA)
    study = readme.blocks("yaml")[1].replace("dataset: digits", "dataset: {import: my_data:load, count: 80}")
    (tmp_path / "mine.yaml").write_text(study)
    ran = tuner(tmp_path, "run", "mine.yaml", "--set", "search.trials=2", "--set", "trial.training.epochs=1")
    assert ran["trials"]["complete"] == 2
    assert ran["best"]["params"]["model.import"] == "my_models:Network"
    assert ran["best"]["params"]["dataset.import"] == "my_data:load"
    assert tuner(tmp_path, "resume", "my-network")["trials"]["complete"] == 2
