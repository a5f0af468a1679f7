"""Bi-tempered loss keeps a boundary that noisy labels take from logistic loss, in a short run of the benchmark."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "benchmarks" / "noisy_boundary.py"


@pytest.mark.heavy
def test_boundary_is_kept_under_each_noise_and_not_lost_without(tmp_path):
    picture = tmp_path / "regions.png"
    arguments = ["--seeds", "4", "--steps", "500", "--out", str(picture)]
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr[-2000:]
    noises = json.loads(done.stdout)["noises"]
    gains = {name: noise["gain"]["mean"] for name, noise in noises.items()}
    assert gains["none"] > -0.01
    assert gains["small margin"] > 0.01
    assert gains["large margin"] > 0.02
    assert gains["random"] > 0.04
    assert picture.read_bytes().startswith(b"\x89PNG")
