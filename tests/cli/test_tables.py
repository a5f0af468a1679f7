"""A regression on one's own table as a user runs it: searched, confirmed, reported, exported; no image anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.processes import tuner
from tuner.trial import load_network

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

SMALL = (
    "--set", "name=prices", "--set", "trial.training.epochs=8", "--set", "search.trials=4", "--set", "confirm.seeds=2",
    "--set", "confirm.finalists=1", "--set", "objective.metric=val_r2",
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def study(home) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    size, kind = rng.normal(100, 20, 300), rng.integers(0, 3, 300)
    rows = (f"{s:.2f},{'abc'[k]},{1000 * s + 20000 * k:.0f}" for s, k in zip(size, kind, strict=True))
    (home / "prices.csv").write_text("\n".join(["size,kind,price", *rows]))
    dataset = f"trial.dataset={{name: csv, path: {home / 'prices.csv'}, target: price}}"
    code, out, err = tuner(home, "run", "diabetes", "--set", dataset, "--set", "trial.loss=huber", *SMALL)
    assert code == 0, err
    return json.loads(out)


def test_the_search_takes_the_largest_r2_and_measures_nothing_of_classes(study):
    assert study["trials"] == {"complete": 4, "pruned": 0, "failed": 0}
    metrics = study["best"]["metrics"]
    assert {"val_rmse", "val_mae", "val_r2"} <= set(metrics)
    assert not {"val_accuracy", "val_nll", "val_ece"} & set(metrics)
    assert study["best"]["curve"][-1] == metrics["val_r2"] >= study["baseline"]["curve"][-1]


def test_fresh_seeds_are_scored_by_r2_on_the_test_split(study):
    found = study["recommendation"]
    assert found["effect"]["metric"] == "test_r2"
    assert all(-20 < score <= 1 for one in found["candidates"] for score in one["scores"].values())
    assert not any("points" in words or "nats" in words for words in found["reasons"])


def test_the_report_tells_errors_and_shows_no_images(home, study):
    code, _, err = tuner(home, "report", "prices")
    assert code == 0, err
    text = (home / "studies" / "prices" / "report" / "report.md").read_text()
    assert "root mean squared error | mean absolute error | R²" in text
    assert "network(network.rows(columns))" in text
    for absent in ("Mixed images", "calibration", "accuracy", " nats", " points"):
        assert absent not in text


def test_the_network_predicts_rows_in_the_targets_unit(study):
    network = load_network(Path(study["network"]))
    with torch.no_grad():
        prices = network(network.rows({"size": [60, 140], "kind": ["a", "c"]}))
    assert prices.shape == (2, 1)
    assert torch.isfinite(prices).all()
    assert 0 < float(prices[0]) < float(prices[1])


def test_the_policy_is_exported_as_a_file_and_refused_for_images(home, study):
    code, out, err = tuner(home, "export", "prices", "--trial", "1", "--json")
    assert code == 0, err
    text = json.loads(out)["text"]
    assert "deviation: " in text
    assert "- kind\n- kind\n- kind" in text
    code, _, err = tuner(home, "export", "prices", "--trial", "1", "--to", "torchvision")
    assert (code, "torchvision mixes images, and csv is a table" in err) == (2, True)


def test_a_table_has_no_sheet_of_images(home):
    code, _, err = tuner(home, "preview", "breast_cancer", "--out", str(home / "sheet.png"))
    assert (code, "breast_cancer is a table: there are no images to show" in err) == (2, True)
