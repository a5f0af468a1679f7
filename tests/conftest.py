"""Every test run checks tensor shapes and types: jaxtyping and beartype are put on all floors that have tensors."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from jaxtyping import install_import_hook

import tests.typechecker  # noqa: F401 - jaxtyping looks it up as an attribute of `tests`

TENSOR_FLOORS = ("datasets", "losses", "mixing", "models", "policies", "training", "trial")
install_import_hook([f"tuner.{floor}" for floor in TENSOR_FLOORS], "tests.typechecker.checked")

import pytest  # noqa: E402
import torch  # noqa: E402

from tests.processes import tuner  # noqa: E402
from tests.readme import tuner_arguments  # noqa: E402

torch.set_num_threads(1)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def fashion_mnist_installed() -> bool:
    return Path("/usr/share/datasets/fashion-mnist").is_dir()


@dataclass(frozen=True)
class QuickStart:
    """The README's first command, run to its end: its TUNER_HOME and its one document on standard output."""

    home: Path
    result: dict[str, Any]


@pytest.fixture(scope="session")
def quick_start(tmp_path_factory: pytest.TempPathFactory) -> QuickStart:
    home = tmp_path_factory.mktemp("quick-start")
    code, out, err = tuner(home, *tuner_arguments()[0])
    assert code == 0, err
    return QuickStart(home, json.loads(out))
