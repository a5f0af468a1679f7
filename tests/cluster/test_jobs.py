"""A study on a cluster that wants a token, by the real commands: sent, asked about, stopped, gone on with, removed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cluster.head import head
from tests.processes import tuner
from tests.readme import ROOT

pytestmark = [pytest.mark.ray, pytest.mark.heavy, pytest.mark.timeout(900)]

SMALL = ("--set", "search.trials=2", "--set", "scheduler.name=fifo", "--set", "confirm.seeds=0", "--set", "name=small")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Start a head with one CPU; yield the settings of who may use it."""
    with head(tmp_path_factory.mktemp("cluster"), cpus=1) as started:
        yield started.settings


def asked(home: Path, cluster: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    """Run a command against the cluster, once it answers."""
    for _ in range(10):
        code, out, err = tuner(home, *arguments, **cluster)
        if code != 3:
            break
    return code, out, err


def test_a_study_is_sent_stopped_gone_on_with_and_removed(cluster, tmp_path):
    code, out, err = asked(tmp_path, cluster, "submit", "digits", *SMALL, "--set", "trial.training.epochs=2", "--json")
    assert code == 0, err
    assert json.loads(out)["trials"] == {"complete": 3, "pruned": 0, "failed": 0}
    code, out, err = tuner(
        tmp_path, "submit", "digits", *SMALL, "--set", "trial.training.epochs=2", "--json", **cluster
    )
    assert (code, json.loads(out)["state"]) == (0, "completed"), err  # again: nothing is trained twice
    # Two minutes: it is to run for as long as it is asked about.
    long = ("digits", *SMALL[:-1], "name=long", "--set", "trial.training.epochs=500")
    code, out, err = tuner(tmp_path, "submit", *long, "--no-wait", "--json", **cluster)
    first = json.loads(out)
    code, out, err = tuner(tmp_path, "submit", *long, "--no-wait", "--json", **cluster)
    assert (json.loads(out)["id"], json.loads(out)["joined"]) == (first["id"], True)
    code, out, err = tuner(tmp_path, "rm", "long", "--yes", **cluster)
    assert (code, "is running" in err) == (2, True)
    code, out, err = tuner(tmp_path, "submit", *long, "--set", "seed=3", "--no-wait", **cluster)
    assert (code, "with another file" in err) == (2, True)
    code, out, err = tuner(tmp_path, "stop", "long", "--json", **cluster)
    assert (code, json.loads(out)["state"]) == (0, "stopped"), err
    code, out, err = tuner(tmp_path, "submit", *long, "--json", **cluster)
    assert (code, json.loads(out)["trials"]["complete"]) == (0, 3), err
    code, out, err = tuner(tmp_path, "ls", "--json", **cluster)
    assert sorted(one["study"] for one in json.loads(out)) == ["long", "small"], err
    for name in ("small", "long"):  # each question gets its own answer, not what was answered before
        code, out, err = tuner(tmp_path, "status", name, "--json", **cluster)
        assert (code, json.loads(out)["study"]) == (0, name), err
    code, out, err = tuner(tmp_path, "rm", "small", "--yes", "--json", **cluster)
    assert code == 0, err
    code, out, err = tuner(tmp_path, "status", "small", **cluster)
    assert (code, "no study named small" in err) == (2, True)


def test_a_study_is_planned_on_the_cluster_by_its_own_file(cluster, tmp_path):
    study = ("digits", "--set", "name=planned", "--set", "search.trials=3")
    code, out, err = asked(tmp_path, cluster, "plan", *study, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["study"], found["places"], found["search"]["trials"]) == ("planned", 1, 3)
    code, out, err = tuner(tmp_path, "plan", *study, "--set", "resources.gpus=2", "--json", **cluster)
    assert code == 2, err
    assert "the largest that fits is resources.cpus: 1, resources.gpus: 0" in json.loads(out)["never"]


def test_the_doctor_looks_at_every_node(cluster, tmp_path):
    code, out, err = asked(tmp_path, cluster, "doctor", "--data", str(ROOT), "--json")
    found = {one["name"]: one for one in json.loads(out)["checks"]}
    wrong = {name: one for name, one in found.items() if one["ok"] is False}
    assert (code, wrong) == (0, {}), err
    assert {"ray access", "versions", "there: nodes", "there: clocks", "there: home on nodes"} <= found.keys()
    assert "1 answer" in found["there: nodes"]["found"]
    code, out, err = tuner(tmp_path, "doctor", "--data", "/nowhere/data", "--json", **cluster)
    found = {one["name"]: one for one in json.loads(out)["checks"]}
    assert (code, found["there: data on nodes"]["ok"]) == (3, False)


def test_nobody_gets_in_with_another_token(cluster, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("0" * 32)
    code, out, err = tuner(tmp_path, "ls", **cluster | {"RAY_AUTH_TOKEN_PATH": str(wrong)})
    assert (code, out) == (3, "")
    assert "refuses the token" in err


OWN = """
name: own
trial:
  dataset: digits
  model: {import: my_models:Net, stages: [head]}
  training: {epochs: 2}
  mixing: {name: mixup, ratio: {name: beta, alpha: {low: 0.1, high: 1.0}}}
search: {trials: 1}
scheduler: {name: fifo}
confirm: {seeds: 0}
"""

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, image, classes):
        super().__init__()
        print("[1, 2]", flush=True)
        self.head = nn.Linear(image.channels * image.height * image.width, classes)

    def forward(self, images):
        return self.head(images.flatten(1))
"""


def test_a_study_goes_on_with_its_own_code_also_where_none_is_sent_again(cluster, tmp_path):
    own, study = tmp_path / "own", tmp_path / "own.yaml"
    own.mkdir()
    (own / ".gitignore").write_text("*.json\n*.yaml\n")
    (own / "my_models.py").write_text(NET)
    study.write_text(OWN)
    here = cluster | {"PYTHONPATH": f"{own}{os.pathsep}{ROOT}"}
    code, out, err = asked(tmp_path, here, "submit", str(study), "--working-dir", str(own), "--json")
    assert (code, json.loads(out)["trials"]["complete"]) == (0, 1), err
    code, out, err = tuner(tmp_path, "resume", "own", "--set", "search.trials=2", "--json", **cluster)
    assert (code, json.loads(out)["trials"]["complete"]) == (0, 2), err
