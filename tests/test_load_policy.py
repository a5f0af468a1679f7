"""`tuner.load_policy`: quick to import, from a file, a block or an MLflow run; and its documentation runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tuner
from tests import readme
from tuner import load_policy, policies, trial
from tuner.errors import ServiceError
from tuner.policies.file import of_values
from tuner.results import flatten
from tuner.tracking import Tracking, destination

POLICIES: dict[str, Any] = {
    "input": {"name": "mixup", "ratio": {"name": "beta", "alpha": 0.2}},
    "manifold": {"name": "mixup", "depths": [0, 1, 2]},
    "patchup": {"name": "patchup", "depths": [1, 2]},
    "puzzlemix": {"name": "puzzlemix"},
    "switch": {"name": "switch", "policies": ["cutmix", {"name": "mixup", "depths": [1]}, "saliencymix"]},
}


def test_importing_the_package_imports_nothing_but_python():
    code = "import sys; before = set(sys.modules); import tuner; tuner.load_policy; print(*set(sys.modules) - before)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.partition(".")[0] for name in found} <= {"tuner", *sys.stdlib_module_names}


def test_loading_a_file_needs_neither_ray_nor_optuna_nor_mlflow(tmp_path: Path):
    (tmp_path / "policy.yaml").write_text(of_values(POLICIES["puzzlemix"]).as_yaml())
    code = (
        f"import sys, tuner; tuner.load_policy({str(tmp_path / 'policy.yaml')!r}, classes=3);"
        "print(*{'ray', 'optuna', 'mlflow', 'pydantic', 'torchvision', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_a_missing_file_is_no_riddle(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        load_policy(tmp_path / "policy.yaml")


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], str]:
    """Record a trial's configuration in a real MLflow store; return the run's id."""
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def record(config: dict[str, Any]) -> str:
        params = flatten(trial.resolve(config))  # imports, which may not happen while another thread imports MLflow
        tracking = Tracking(destination())
        tracking.study_started("recorded")
        tracking.trial_started(0, params)
        assert tracking.close(60).unwritten == 0
        return tracking.run_ids()[0]

    return record


SETTINGS = {"dataset": "digits", "training": {"epochs": 7}}


def test_a_run_of_mlflow_has_the_policy_that_its_trial_had(recorded):
    config = {
        **SETTINGS,
        "model": {"name": "torchvision", "stages": ["layer1", "layer2"]},
        "loss": {"name": "bi_tempered", "t1": 0.7, "label_smoothing": 0.05},
        "mixing": {
            "name": "switch",
            "policies": [
                {"name": "mixup", "depths": [0, 2], "ratio": {"name": "dirichlet", "count": 3, "alpha": 5e-05}},
                {"name": "switch", "policies": ["none", "sample_pairing"]},
            ],
            "weights": [1, 2.5],
        },
    }
    run_id = recorded(config)
    policy = load_policy(f"runs:/{run_id}", classes=10)
    assert policy.file == policies.of_trial(trial.resolve(config), 10, f"MLflow's runs:/{run_id}")


def test_a_run_that_is_no_trial_and_one_that_is_not_there_are_answered(recorded):
    recorded({**SETTINGS, "model": "mlp", "mixing": "none"})
    study = tuner.tracking.ids("recorded").run_id
    with pytest.raises(ValueError, match="is not that of a trial; `tuner trials NAME --json`"):
        load_policy(f"runs:/{study}")
    with pytest.raises(ServiceError, match="0123"):
        load_policy("runs:/0123456789abcdef0123456789abcdef")


def test_without_a_store_mlflow_is_not_made_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ServiceError, match="there is no store yet"):
        load_policy("runs:/0123456789abcdef0123456789abcdef")
    assert not (tmp_path / "home").exists()


def blobs(count: int = 240) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images whose class is where they are bright."""
    labels = torch.arange(count) % 4
    images = 0.2 * torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for image, label in zip(images, labels.tolist(), strict=True):
        top, left = 4 * (label // 2), 4 * (label % 2)
        image[:, top : top + 4, left : left + 4] += 0.6
    return images, labels


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 4),
    )


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Yield what the README's examples take for granted; they read policy.yaml."""
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, dataset = network(), TensorDataset(*blobs())
        yield {
            "model": model,
            "dataset": dataset,
            "loader": DataLoader(dataset, batch_size=40, shuffle=True),
            "optimizer": torch.optim.Adam(model.parameters(), 0.01),
            "epochs": 15,
        }


def write(mixing: dict[str, Any], **more: Any) -> None:
    Path("policy.yaml").write_text(of_values({"mixing": mixing, "classes": 4, **more}).as_yaml())


@pytest.mark.parametrize("name", POLICIES)
def test_the_readmes_loop_learns_with_every_kind_of_policy(name, names):
    write(POLICIES[name])
    exec(readme.python_with("policy.attach"), names)
    images, labels = blobs()
    with torch.no_grad():
        accuracy = (names["model"](images).argmax(dim=1) == labels).float().mean()
    assert float(accuracy) > 0.9


def test_the_readmes_loop_on_images_has_gradients_and_mixed_batches(names):
    write(POLICIES["input"], loss={"name": "bi_tempered"})
    exec(readme.python_with("policy.collate_fn"), names)
    assert all(parameter.grad is not None for parameter in names["model"].parameters())
    _, targets = next(iter(names["mixed"]))
    assert ((targets > 0).sum(dim=1) == 2).any()
