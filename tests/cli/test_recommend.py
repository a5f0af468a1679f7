"""`tuner recommend` and what exports and runs say of a confirmation, from a stored study."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Command
from tests.search.conftest import begin, drive, rising
from tests.search.test_confirm import confirm_all, confirming, worth
from tuner import spec

STUDY = """
name: simulated
trial:
  dataset: {name: digits}
  model: {name: small_cnn, padding: same}
  training: {epochs: 9}
  mixing:
    choice:
      none: {}
      mixup: {ratio: {name: beta, alpha: {low: 0.1, high: 1.0}}}
      cutmix: {}
search: {trials: 6}
confirm: {finalists: 2, seeds: 4}
"""


@pytest.fixture
def study(command: Command, tmp_path):
    """A study whose search is over."""
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    search = begin(spec.load(path))
    drive(search, rising)
    return search


def test_without_fresh_seeds_nothing_is_confirmed(command: Command, study):
    found = command("recommend", "simulated").json
    assert found["verdict"] == "not_confirmed"
    assert found["policy"] == {"name": "none"}
    assert command("export", "simulated", "--to", "yaml").json["basis"].startswith("best of the search; not confirmed")


def test_a_confirmed_gain_is_recommended_and_exported(command: Command, study):
    confirm_all(confirming(study.spec, study.study))
    found = command("recommend", "simulated").json
    assert found["verdict"] == "use"
    assert found["effect"]["low"] > 0
    assert len(found["candidates"]) == 3
    exported = command("export", "simulated", "--to", "yaml").json
    assert exported["basis"] == "recommended on 4 fresh seeds"
    assert exported["policy"] == found["policy"]


def test_where_mixing_does_not_help_no_mixing_is_exported(command: Command, study):
    confirm_all(confirming(study.spec, study.study), lambda a: worth(a) - 0.05 * (a.config["mixing"]["name"] != "none"))
    found = command("recommend", "simulated").json
    assert found["verdict"] == "no_evidence"
    exported = command("export", "simulated", "--to", "yaml").json
    assert (exported["basis"], exported["policy"]) == (
        "no evidence that mixing helps: no mixing",
        {"name": "none"},
    )


def test_what_fresh_seeds_found_worse_is_not_exported(command: Command, study):
    def reversed_worth(assignment):
        return worth(assignment) - 0.2 * (assignment.config["mixing"]["name"] != "none")

    confirm_all(confirming(study.spec, study.study), reversed_worth)
    assert command("recommend", "simulated").json["effect"]["high"] < 0
    exported = command("export", "simulated", "--to", "yaml").json
    assert (exported["basis"], exported["policy"]) == ("fresh seeds found mixing worse: no mixing", {"name": "none"})


def test_status_shows_the_recommendation(command: Command, study):
    assert command("status", "simulated").json["recommendation"] is None
    confirm_all(confirming(study.spec, study.study))
    assert command("status", "simulated").json["recommendation"]["verdict"] == "use"


def test_studies_are_put_side_by_side(command: Command, study, tmp_path):
    confirm_all(confirming(study.spec, study.study))
    path = tmp_path / "other.yaml"
    path.write_text(STUDY.replace("name: simulated", "name: other"))
    drive(begin(spec.load(path, ["search.trials=20", "scheduler={name: fifo}"])), rising)
    first, second = command("compare", "simulated", "other").json
    assert (first["study"], first["verdict"], second["verdict"]) == ("simulated", "use", "not_confirmed")
    (alpha,) = second["alphas"]
    assert (alpha["method"], alpha["distribution"], alpha["parameter"]) == ("mixup", "beta", "alpha")
    assert alpha["interval"]["low"] <= alpha["best"] <= alpha["interval"]["high"]
    assert alpha["searched"] == [0.1, 1.0]


def test_one_study_cannot_be_compared(command: Command, study):
    assert command("compare", "simulated").code == 2
    assert command("compare", "simulated", "nowhere").code == 2


def test_a_study_without_a_baseline_yet_says_so(command: Command, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    begin(spec.load(path))
    answer = command("recommend", "simulated")
    assert answer.code == 2
    assert "no trial without mixing" in answer.err


def test_a_study_that_has_no_answer_yet_does_not_hide_the_others(command: Command, study, tmp_path):
    confirm_all(confirming(study.spec, study.study))
    path = tmp_path / "empty.yaml"
    path.write_text(STUDY.replace("name: simulated", "name: empty"))
    begin(spec.load(path))
    first, second = command("compare", "simulated", "empty").json
    assert (first["verdict"], first["dataset"]) == ("use", "digits")
    assert (second["verdict"], second["effect"]) == (None, None)
