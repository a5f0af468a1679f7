"""Files, data sets, descriptions and networks beside a study's runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tracking.examples import closed
from tuner import trial
from tuner.tracking import DatasetInput, Destination, RegisteredModel, Tracking
from tuner.training import checkpoint


@pytest.fixture
def study(request: pytest.FixtureRequest) -> str:
    return request.node.name.replace("_", "-")[:60]


def content(client: Any, run_id: str, name: str, folder: Path) -> bytes:
    return Path(client.download_artifacts(run_id, name, str(folder))).read_bytes()


def test_file_that_is_logged_again_is_replaced(store: Destination, client: Any, study: str, tmp_path: Path):
    tracking = Tracking(store)
    tracking.study_started(study)
    tracking.artifact("plots/response.svg", b"<svg>old</svg>")
    tracking.artifact("plots/response.svg", b"<svg/>")
    run_id = closed(tracking).run_id

    assert content(client, run_id, "plots/response.svg", tmp_path) == b"<svg/>"
    assert [one.path for one in client.list_artifacts(run_id, "plots")] == ["plots/response.svg"]


def test_trial_keeps_a_file_that_was_given_by_its_path(store: Destination, client: Any, study: str, tmp_path: Path):
    large = tmp_path / "made by somebody.bin"
    large.write_bytes(b"x" * 1000)
    tracking = Tracking(store)
    tracking.study_started(study)
    tracking.trial_started(3, {})
    tracking.artifact("sheet.png", large, number=3)
    closed(tracking)

    (tmp_path / "back").mkdir()
    assert content(client, tracking.run_ids()[3], "sheet.png", tmp_path / "back") == b"x" * 1000
    assert large.exists()


def test_description_outlives_a_resume(store: Destination, client: Any, study: str):
    for text in ("**use** mixup", None):
        tracking = Tracking(store)
        tracking.study_started(study, description="a search")
        if text:
            tracking.description(text)
        run_id = closed(tracking).run_id
    assert client.get_run(run_id).data.tags["mlflow.note.content"] == "**use** mixup"


def test_data_set_is_an_input_once(store: Destination, client: Any, study: str):
    schema = {"mlflow_tensorspec": {"features": [], "targets": []}}
    data = DatasetInput("digits", "0f" * 18, "http://me:secret@host/digits", "training", {"examples": 1500}, schema)
    for _ in range(2):
        tracking = Tracking(store)
        tracking.study_started(study)
        tracking.dataset(data)
        run_id = closed(tracking).run_id

    (used,) = client.get_run(run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("digits", "0f" * 18)
    assert "secret" not in used.dataset.source
    assert json.loads(used.dataset.profile) == {"examples": 1500}
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = {
        "dataset": {"name": "digits", "train_examples": 100},
        "model": {"name": "small_cnn", "padding": "same", "channels": [2, 2]},
        "training": {"epochs": 1, "optimizer": "adam"},
    }
    config = json.loads(json.dumps(trial.resolve(given)))
    split = trial.load_data(config, 0)
    path = tmp_path_factory.mktemp("networks") / "0.trained.pt"
    checkpoint.save(path, trial.network_state(trial.build(config, split, 0), config, split))
    return path


def test_network_is_registered_once_for_a_policy(
    store: Destination, client: Any, study: str, network: Path, tmp_path: Path
):
    import mlflow.pytorch

    def registered(policy: dict[str, Any], identity: str = "one") -> list[Any]:
        tracking = Tracking(store, identity)
        tracking.study_started(study)
        tracking.model(RegisteredModel(study, network, policy, {"mixing.name": "mixup"}, {"verdict": "use"}))
        closed(tracking)
        return list(client.search_model_versions(f"name = '{study}'"))

    (version,) = registered({"name": "mixup"})
    assert len(registered({"name": "mixup"})) == 1
    assert version.tags["verdict"] == "use"
    assert json.loads(version.tags["tuner.policy"]) == {"name": "mixup"}
    assert client.get_model_version_by_alias(study, "recommended").version == version.version

    there = mlflow.artifacts.download_artifacts(version.source, dst_path=str(tmp_path))
    ours, theirs = trial.load_network(Path(there) / "network.trained.pt"), mlflow.pytorch.load_model(there)
    images = np.random.default_rng(0).integers(0, 256, (5, 1, 8, 8), dtype=np.uint8)
    import torch

    assert torch.allclose(ours(torch.from_numpy(images)), theirs(torch.from_numpy(images)), atol=1e-5)
    assert mlflow.models.get_model_info(there).signature.inputs.inputs[0].shape == (-1, 1, 8, 8)

    assert len(registered({"name": "cutmix"})) == 2
    assert len(registered({"name": "cutmix"}, "two")) == 3
    assert int(client.get_model_version_by_alias(study, "recommended").version) == 3


def test_network_that_is_gone_is_told(store: Destination, study: str, tmp_path: Path):
    tracking = Tracking(store)
    tracking.study_started(study)
    tracking.model(RegisteredModel(study, tmp_path / "9.trained.pt", {}))
    report = tracking.close(60)
    assert report.unwritten == 1
    assert "9.trained.pt is not there any more" in report.error
