"""`tuner plan`, by the real command: what a study will cost, and what would never run."""

from __future__ import annotations

import json

import pytest

from tests.processes import tuner

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]


def test_a_study_is_planned_by_trying_its_trial(tmp_path):
    code, out, err = tuner(tmp_path / "home", "plan", "digits", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["places"] >= 1
    assert set(found["methods"]) == {"none", "mixup", "cutmix"}
    assert found["memory"]["peak_bytes"] > 50 * 2**20
    assert all(pace["epoch_seconds"] > pace["step_seconds"] > 0 for pace in found["methods"].values())
    search, fresh = found["search"], found["confirmation"]
    assert search["trials"] == 30
    assert search["low"] <= search["expected"] <= search["high"] <= search["most"] == 810
    assert 0 < search["expected_hours"] < search["most_hours"]
    assert (fresh["trials"], fresh["most"]) == (20, 540)
    assert found["disk"]["most_bytes"] < found["disk"]["free_bytes"]
    assert not (tmp_path / "home").exists()  # nothing is left behind


def test_what_no_node_has_is_said_with_the_largest_that_fits_and_nothing_is_tried(tmp_path):
    code, out, err = tuner(tmp_path / "home", "plan", "digits", "--set", "resources.cpus=999", "--json")
    assert code == 2, err
    found = json.loads(out)
    assert "largest that fits is resources.cpus: " in found["never"]
    assert found["search"] is None


def test_gpus_are_auto_where_there_are_none(tmp_path):
    code, out, err = tuner(tmp_path / "home", "plan", "digits", "--set", "resources.gpus=auto", TUNER_OUTPUT="people")
    assert code == 0, err
    assert "auto finds no GPU" in out
    assert "an estimate" in out
