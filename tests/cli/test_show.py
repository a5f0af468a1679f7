"""What `status` says of early stopping, on a study whose curves are made up."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.search.conftest import STUDY, begin, drive
from tuner import spec
from tuner.cli import output, tables
from tuner.results import StudyResult, StudyState, TrialRecord, TrialState
from tuner.search import storage


@pytest.fixture
def slow_start(command, tmp_path):
    """Store a study in which mixing starts slowly and ends best, its published settings never stopped."""
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    loaded = spec.load(path, ["search.trials=20", "scheduler.strata=none", "search.baselines=literature"])
    search = begin(loaded)

    def curve(assignment, epoch):
        if assignment.number in {1, 2}:  # the published mixup and CutMix
            return 0.95 - 0.9 / epoch
        return 0.8 + 0.001 * assignment.number - 0.1 / epoch

    drive(search, curve)
    storage.set_state(search.study, scheduler={"settings": loaded.scheduler.model_dump(), "epochs": loaded.epochs})
    return loaded.name


def test_status_says_which_rung_would_have_stopped_the_best_and_what_to_do(command, slow_start):
    stopping = command("status", slow_start, "--json").json["stopping"]
    first = stopping["rungs"][0]
    assert (first["epoch"], first["stops_best"], first["is_safe"]) == (1, True, False)
    assert first["wrong_share"] == pytest.approx(first["wrong"] / stopping["finished"])
    assert (stopping["is_safe"], stopping["never_stopped"]) == (False, 3)
    # After epoch 5 the published settings are at 0.77, below all others, which are at 0.78 and more; after 6 at 0.80.
    assert stopping["grace_epochs"] == 6
    assert stopping["words"].endswith("set scheduler.grace_epochs: 6")


def test_status_shows_people_the_same(command, slow_start, monkeypatch):
    monkeypatch.setattr("tuner.cli.output.wants_json", lambda _: False)
    shown = " ".join(command("status", slow_start).out.split())
    assert "early stopping: what each rung would have made" in shown
    assert "set scheduler.grace_epochs: 6" in shown


def test_a_study_from_before_rules_were_kept_says_nothing(command, slow_start):
    storage.set_state(storage.load(slow_start), scheduler=None)
    assert command("status", slow_start, "--json").json["stopping"] is None


@pytest.mark.usefixtures("slow_start")
@pytest.mark.parametrize(("arguments", "listed"), [(("ls",), 1), (("trials", "simulated"), 20)])
def test_lists_are_there_before_torch_could_be_imported(arguments, listed):
    code = (
        "import sys\nfrom tuner.cli import main\nsys.argv = ['tuner', *sys.argv[1:]]\n"
        "try:\n    main()\nfinally:\n    sys.stderr.write(str('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert len(json.loads(done.stdout)) == listed
    assert done.stderr == "False"


def test_in_a_narrow_terminal_addresses_and_paths_stand_whole_on_their_line(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    trial = TrialRecord(0, TrialState.COMPLETE, "", {"mixing.name": "mixup"}, (0.5,), {}, 1)
    network = "/home/somebody/a/folder/tuner-home/studies/digits/checkpoints/0.trained.pt"
    page = "http://localhost:5000/#/experiments/271828182845904523/runs/217c18615c774bfd8240c0d58b76f374"
    stored = StudyResult(
        "digits", StudyState.COMPLETED, (trial,), trial, None, 1.0, tracking={"page": page}, network=network
    )
    output.print_tables(*tables.summary(stored, "val_accuracy", maximise=True))
    lines = capsys.readouterr().out.splitlines()
    assert f"best network: {network}" in lines
    assert f"MLflow: {page}" in lines
