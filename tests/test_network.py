"""A trained network in a file is enough to use it: weights, classes, normalisation, the trial that trained it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tuner import trial
from tuner.errors import ConfigError
from tuner.training import checkpoint

CONFIGS = {
    "small_cnn": {"model": {"name": "small_cnn", "padding": "same", "channels": [2, 2]}},
    "batch norm, bytes scaled to 1": {
        "model": {"name": "wide_resnet", "depth": 10, "width": 1},
        "training": {"normalize": "unit"},
    },
}


def config(name: str = "small_cnn"):
    chosen = {"dataset": {"name": "digits", "train_examples": 200}, **CONFIGS[name]}
    chosen["training"] = {**chosen.get("training", {}), "epochs": 2, "optimizer": "adam"}
    return json.loads(json.dumps(trial.resolve(chosen)))  # as a study stores it


def trained(name: str = "small_cnn"):
    split = trial.load_data(config(name), 0)
    training = trial.build(trial.resolve(config(name)), split, 0)
    last = [training.run_epoch(trial.validation_split(split)) for _ in range(2)][-1]
    return split, training, last


@pytest.mark.parametrize("name", CONFIGS)
def test_a_loaded_network_scores_what_its_trial_reported(name, tmp_path):
    split, training, last = trained(name)
    checkpoint.save(tmp_path / "0.trained.pt", trial.network_state(training, config(name), split))
    network = trial.load_network(tmp_path / "0.trained.pt")
    images, labels = (torch.from_numpy(array) for array in (split.validation.images, split.validation.labels))
    logits = network(images)
    assert (logits.argmax(1) == labels).double().mean().item() == last.val_accuracy
    assert torch.nn.functional.cross_entropy(logits.double(), labels).item() == pytest.approx(last.val_nll, rel=1e-5)
    assert (network.classes, network.epoch) == (split.classes, 2)
    assert network.config == trial.resolve(config(name))


def test_nothing_to_train_on_with_is_kept(tmp_path):
    split, training, _ = trained()
    checkpoint.save(tmp_path / "last.pt", training.state())
    checkpoint.save(tmp_path / "trained.pt", trial.network_state(training, config(), split))
    assert set(checkpoint.load(tmp_path / "trained.pt")) == {"config", "epoch", "classes", "image", "scaling", "model"}
    # Adam keeps two numbers beside each weight.
    weights = sum(tensor.nbytes for tensor in training.model.state_dict().values())
    size = {name: (tmp_path / name).stat().st_size for name in ("last.pt", "trained.pt")}
    assert size["last.pt"] - size["trained.pt"] > 1.5 * weights


def test_loading_draws_nothing_from_the_global_generator(tmp_path):
    split, training, _ = trained()
    checkpoint.save(tmp_path / "0.trained.pt", trial.network_state(training, config(), split))
    before = torch.get_rng_state()
    trial.load_network(tmp_path / "0.trained.pt")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_of_a_model_that_is_not_known_here_says_so(tmp_path: Path):
    split, training, _ = trained()
    elsewhere = {**config(), "model": {"import": "of_nobody:network"}}
    checkpoint.save(tmp_path / "0.trained.pt", trial.network_state(training, elsewhere, split))
    with pytest.raises(ConfigError, match="no module named 'of_nobody'"):
        trial.load_network(tmp_path / "0.trained.pt")


@pytest.mark.parametrize("name", ["diabetes", "csv"])
def test_a_network_of_a_table_takes_rows_as_the_file_has_them(name, tmp_path):
    path = tmp_path / "table.csv"
    lines = [f"{row / 3:.4f},{'abc'[row % 3]},{'' if row % 9 == 0 else row},{5 * row + 0.25}" for row in range(90)]
    path.write_text("\n".join(["size,kind,weight,price", *lines]))
    own = {"name": "csv", "path": str(path), "target": "price", "task": "regression", "missing": "mean"}
    dataset = "diabetes" if name == "diabetes" else own
    chosen = {"dataset": dataset, "model": "mlp", "training": {"epochs": 2, "batch_size": 16}}
    stored = json.loads(json.dumps(trial.resolve(chosen)))
    split = trial.load_data(trial.resolve(stored), 0)
    training = trial.build(trial.resolve(stored), split, 0)
    last = [training.run_epoch(trial.validation_split(split)) for _ in range(2)][-1]
    checkpoint.save(tmp_path / "0.trained.pt", trial.network_state(training, stored, split))
    network = trial.load_network(tmp_path / "0.trained.pt")
    predictions = network(torch.from_numpy(split.validation.images))
    errors = predictions[:, 0].double() - torch.from_numpy(split.validation.labels)
    assert errors.square().mean().sqrt().item() == pytest.approx(last.val_rmse, rel=1e-5)
    assert (network.classes, network.features) == ((), split.features)
    if name == "diabetes":
        return
    rows = network.rows({"size": [1, 2.5], "kind": ["b", "unheard of"], "weight": [None, 7]})
    by_name = dict(zip([feature.name for feature in network.features], rows[:, :, 0, 0].T.tolist(), strict=True))
    assert by_name["size"] == [1, 2.5]
    assert (by_name["kind=a"], by_name["kind=b"]) == ([0, 0], [1, 0])
    assert by_name["weight"] == [pytest.approx(network.features[-1].fill), 7]
    with pytest.raises(ValueError, match="missing: kind, weight"):
        network.rows({"size": [1]})
