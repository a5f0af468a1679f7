"""Whole studies as a user starts them: the real command, a real local Ray, a real MLflow store, real images."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.processes import start, tuner
from tuner.results import flatten
from tuner.trial import load_data, load_network

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

SEARCH_ALONE = ("--set", "confirm.seeds=0")
SMALL = (
    "--set", "trial.training.epochs=3", "--set", "scheduler.grace_epochs=1", "--set", "search.trials=4", *SEARCH_ALONE,
)  # fmt: skip


@pytest.fixture
def home(quick_start) -> Path:
    return quick_start.home


@pytest.fixture
def study(quick_start) -> dict:
    return quick_start.result


def test_a_study_ends_with_what_scripts_rely_on(study):
    assert study["study"] == "digits"
    assert study["state"] == "completed"
    assert sum(study["trials"].values()) == 30
    assert study["trials"]["failed"] == 0
    assert study["baseline"]["params"]["mixing.name"] == "none"
    assert study["baseline"]["epochs"] == 27
    assert study["best"]["curve"][-1] >= study["baseline"]["curve"][-1]
    assert study["best"]["state"] == "complete"
    assert 30 < study["epochs_trained"] < 30 * 27
    assert set(study["tracking"]) == {"uri", "experiment_id", "run_id", "page"}
    assert study["warnings"] == []


def test_trials_are_listed_from_the_storage(home, study):
    code, out, err = tuner(home, "trials", "digits", "--json")
    assert code == 0, err
    trials = json.loads(out)
    assert [trial["number"] for trial in trials] == list(range(30))
    for trial in trials:
        assert trial["epochs"] == len(trial["curve"])
        assert trial["state"] in {"complete", "pruned"}
        assert trial["cause"]
        assert re.fullmatch(r"[0-9a-f]{32}", trial["run_id"])
        assert trial["metrics"]["val_accuracy"] == trial["curve"][-1]
    best = dict(study["best"])
    assert best.pop("over_seeds") == {"mean": best["curve"][-1], "spread": None, "seeds": [best["seed"]]}
    assert best in trials


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside MLflow
def test_mlflow_has_a_run_for_the_study_and_one_below_it_for_each_trial(home, study):
    from mlflow import MlflowClient

    client = MlflowClient(study["tracking"]["uri"])
    runs = client.search_runs([study["tracking"]["experiment_id"]], max_results=100)
    parent = [run for run in runs if run.info.run_id == study["tracking"]["run_id"]]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == study["tracking"]["run_id"]]
    assert len(parent) == 1
    assert len(children) == 30
    assert parent[0].info.status == "FINISHED"
    states = {"complete": "FINISHED", "pruned": "KILLED"}
    trials = {trial["run_id"]: trial for trial in json.loads(tuner(home, "trials", "digits", "--json")[1])}
    for child in children:
        trial = trials[child.info.run_id]
        assert child.info.status == states[trial["state"]]
        assert child.data.tags["cause"] == trial["cause"]
        assert child.data.params["mixing.name"] == trial["params"]["mixing.name"]
        history = client.get_metric_history(child.info.run_id, "val_accuracy")
        assert [point.step for point in history] == list(range(1, trial["epochs"] + 1))
        assert [point.value for point in history] == trial["curve"]


def test_status_and_list_agree_with_the_run(home, study):
    status = json.loads(tuner(home, "status", "digits", "--json")[1])
    assert {key: status[key] for key in ("state", "trials", "best", "epochs_trained")} == {
        key: study[key] for key in ("state", "trials", "best", "epochs_trained")
    }
    assert "digits" in [row["study"] for row in json.loads(tuner(home, "ls", "--json")[1])]


def test_the_best_network_is_kept_and_status_says_where(home, study):
    status = json.loads(tuner(home, "status", "digits", "--json")[1])
    path = Path(status["network"])
    kept = [one for one in path.parent.iterdir() if not one.name.startswith("confirm.")]
    assert kept == [path]
    network = load_network(path)
    assert json.loads(json.dumps(flatten(network.config))) == study["best"]["params"]
    validation = load_data(network.config, seed=0).validation
    predicted = network(torch.from_numpy(validation.images)).argmax(1).numpy()
    assert (predicted == validation.labels).mean() == study["best"]["curve"][-1]


def test_a_study_ends_with_a_recommendation_from_fresh_seeds(home, study):
    found = study["recommendation"]
    baseline, *finalists = found["candidates"]
    assert found["verdict"] in {"use", "no_evidence", "not_confirmed"}
    assert (baseline["is_baseline"], baseline["mixing"]) == (True, {"name": "none"})
    assert {one["method"] for one in finalists} == {"mixup", "cutmix"}
    planned = {str(seed) for seed in range(1000, 1005)}
    for one in found["candidates"]:
        assert set(one["scores"]) == planned or (one["dropped"] and set(one["scores"]) < planned)
        assert all(0.9 < score <= 1 for score in one["scores"].values())
    shown = json.loads(tuner(home, "recommend", "digits", "--json")[1])
    assert {key: shown[key] for key in ("verdict", "policy", "effect")} == {
        key: found[key] for key in ("verdict", "policy", "effect")
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside MLflow
def test_mlflow_has_each_fresh_seed_under_the_trial_it_repeats_with_its_test_score(home, study):
    from mlflow import MlflowClient

    client = MlflowClient(study["tracking"]["uri"])
    wanted = "tags.`tuner.kind` = 'confirmation'"
    runs = client.search_runs([study["tracking"]["experiment_id"]], wanted, max_results=100)
    trials = {trial["number"]: trial for trial in json.loads(tuner(home, "trials", "digits", "--json")[1])}
    scores = {
        (trials[one["trial"]]["run_id"], seed): score
        for one in study["recommendation"]["candidates"]
        for seed, score in one["scores"].items()
    }
    logged = {(run.data.tags["mlflow.parentRunId"], run.data.tags["seed"]): run for run in runs}
    assert len(runs) == len(logged)
    assert {key: run.data.metrics["test_accuracy"] for key, run in logged.items()} == pytest.approx(scores)
    assert {run.info.status for run in runs} == {"FINISHED"}
    parent = client.get_run(study["tracking"]["run_id"])
    assert parent.data.tags["verdict"] == study["recommendation"]["verdict"]
    assert parent.info.status == "FINISHED"


@pytest.mark.heavy
def test_a_confirmation_that_was_killed_goes_on_and_takes_more_seeds_later(home):
    again = ("--set", "confirm={finalists: 1, seeds: 3}")
    small = [*SMALL[: -len(SEARCH_ALONE)], "--set", "name=killed", *again]
    process = start(home, "run", "digits", *small, "--json")
    wait_for_trainings(home, "killed", 3)
    process.kill()
    process.communicate()
    code, out, err = tuner(home, "resume", "killed", "--json")
    assert code == 0, err
    first = json.loads(out)["recommendation"]
    assert {len(one["scores"]) for one in first["candidates"]} == {3}
    code, out, err = tuner(home, "confirm", "killed", "--set", "confirm.seeds=4", "--json")
    assert code == 0, err
    for before, after in zip(first["candidates"], json.loads(out)["recommendation"]["candidates"], strict=True):
        assert before["scores"].items() < after["scores"].items()


def wait_for_trainings(home: Path, name: str, trainings: int) -> None:
    journal = home / "studies" / name / "journal.log"
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        if journal.exists() and journal.read_text().count('"user_attr":{"test"') >= trainings:
            return
        time.sleep(0.2)
    pytest.fail(f"{name} did not get to {trainings} fresh seeds")


def test_a_second_study_of_the_name_is_refused_and_changes_nothing(home, study):
    before = (home / "studies" / "digits" / "journal.log").read_bytes()
    code, out, err = tuner(home, "run", "digits")
    assert (code, out) == (2, "")
    assert "--set name=digits-2" in err
    code, out, err = tuner(home, "run", "digits", *SMALL)
    assert (code, out) == (2, "")
    assert "scheduler.grace_epochs: was " in err
    assert "--fork" in err
    assert (home / "studies" / "digits" / "journal.log").read_bytes() == before


@pytest.mark.heavy
def test_a_changed_study_is_forked_beside_the_old_one(home, study):
    before = (home / "studies" / "digits" / "journal.log").read_bytes()
    code, out, err = tuner(home, "run", "digits", *SMALL, "--fork", "--json")
    assert code == 0, err
    assert json.loads(out)["study"] == "digits-2"
    assert (home / "studies" / "digits" / "journal.log").read_bytes() == before


def test_trials_that_diverge_fail_with_their_cause_and_stop_a_hopeless_study(home):
    code, out, err = tuner(
        home, "run", "digits", *SMALL, "--json", "--set", "name=nan", "--set", "limits.failures=3",
        "--set", "trial.training.optimizer.learning_rate=1.0e+30",
    )  # fmt: skip
    ended = json.loads(out)
    assert code == 1, err
    assert ended["state"] == "failed"
    assert ended["trials"]["failed"] in {3, 4}  # the two slots may both be busy when the third fails
    assert "diverged at epoch 1" in err


def test_resources_that_no_node_has_are_refused_at_once(home):
    code, out, err = tuner(home, "run", "digits", "--set", "name=big", "--set", "resources.cpus=4000")
    assert (code, out) == (2, "")
    assert "the largest that fits is resources.cpus: " in err
    assert not (home / "studies" / "big").exists()


LONG = (
    "--set",
    "search.trials=3",
    "--set",
    "trial.training.epochs=80",
    "--set",
    "scheduler={name: fifo}",
    *SEARCH_ALONE,
)


@pytest.fixture
def long(home: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    process = start(home, "run", "digits", *LONG, "--json", "--set", f"name={request.node.name.split('_')[1]}")
    yield process
    process.kill()
    process.communicate()


def wait_for_epochs(home: Path, name: str, epochs: int) -> None:
    journal = home / "studies" / name / "journal.log"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if journal.exists() and journal.read_text().count("intermediate_value") >= epochs:
            return
        time.sleep(0.2)
    pytest.fail(f"{name} did not get to {epochs} epochs in two minutes")


@pytest.mark.heavy
def test_interrupt_ends_cleanly_and_resume_goes_on(home, long):
    wait_for_epochs(home, "interrupt", 60)
    long.send_signal(signal.SIGINT)
    out, err = long.communicate(timeout=60)
    assert long.returncode == 130, err
    assert json.loads(out)["state"] == "interrupted"
    assert "tuner resume interrupt" in err
    code, out, err = tuner(home, "resume", "interrupt", "--json")
    assert code == 0, err
    ended = json.loads(out)
    assert ended["trials"] == {"complete": 3, "pruned": 0, "failed": 0}
    assert ended["epochs_trained"] == 3 * 80


@pytest.mark.heavy
def test_impatient_second_interrupt_loses_nothing_either(home, long):
    wait_for_epochs(home, "impatient", 60)
    long.send_signal(signal.SIGINT)
    time.sleep(0.3)
    long.send_signal(signal.SIGINT)
    _, err = long.communicate(timeout=60)
    assert long.returncode in {130, -signal.SIGINT}, err
    code, out, err = tuner(home, "resume", "impatient", "--json")
    assert code == 0, err
    ended = json.loads(out)
    assert (ended["trials"], ended["epochs_trained"]) == ({"complete": 3, "pruned": 0, "failed": 0}, 3 * 80)


@pytest.mark.heavy
def test_worker_killed_goes_on_from_its_checkpoint(home, long):
    wait_for_epochs(home, "worker", 60)
    children = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    session = _descendants(long.pid)
    workers = [
        int(line.split()[0]) for line in children.splitlines() if re.search("ray::(TrialActor|ResourceTrainable)", line)
    ]
    os.kill(next(pid for pid in workers if pid in session), signal.SIGKILL)
    out, err = long.communicate(timeout=200)
    assert long.returncode == 0, err
    ended = json.loads(out)
    assert ended["trials"] == {"complete": 3, "pruned": 0, "failed": 0}
    assert ended["epochs_trained"] == 3 * 80


def _descendants(pid: int) -> set[int]:
    """Return the processes of the Ray that `pid` started, which Ray puts into sessions of their own."""
    table = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, table.splitlines()[1:])}
    found = {pid}
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return found
