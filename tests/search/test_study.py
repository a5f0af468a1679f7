"""A study's end, and what a resume makes up for, without Ray."""

from __future__ import annotations

import pytest

from tests.search.conftest import begin, drive, rising, train
from tuner.results import StudyState, TrialState
from tuner.search import safety, storage, stored, study
from tuner.tracking import child_runs

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside MLflow


def _complaints(result) -> list[str]:
    """Return a study's warnings, but for the network that no simulated training writes."""
    return [one for one in result.warnings if "trained network" not in one]


def test_resume_tells_mlflow_what_it_missed_and_doubles_nothing(load):
    loaded = load("search.trials=3")
    search = begin(loaded)
    drive(search, rising)
    storage.set_state(search.study, id="one", recorded=False)  # as a driver leaves it that MLflow did not answer
    for _ in range(2):
        result = study.resume(loaded)
        assert result.state is StudyState.COMPLETED
        assert _complaints(result) == []
        runs = child_runs(loaded.name, identity="one")
        assert sorted(runs) == [0, 1, 2]
    from mlflow import MlflowClient

    client = MlflowClient(result.tracking["uri"])
    for trial in result.trials:
        history = client.get_metric_history(runs[trial.number], "val_accuracy")
        assert [point.value for point in history] == list(trial.curve)
        wanted = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED"}[trial.state]
        assert client.get_run(runs[trial.number]).info.status == wanted


def test_what_mlflow_missed_of_a_trial_that_goes_on_is_told_too(load):
    loaded = load("search.trials=2", "limits.epochs=13")
    search = begin(loaded)
    train(search, search.ask(), rising)
    train(search, search.ask(), rising, upto=4)  # the driver dies, and what MLflow was to be told with it
    storage.set_state(search.study, id="one", recorded=False)
    result = study.resume(loaded)
    assert result.state is StudyState.OUT_OF_BUDGET
    from mlflow import MlflowClient

    run = MlflowClient(result.tracking["uri"]).get_run(child_runs(loaded.name, identity="one")[1])
    history = MlflowClient(result.tracking["uri"]).get_metric_history(run.info.run_id, "val_accuracy")
    assert [point.step for point in history] == [1, 2, 3, 4]
    assert (run.info.status, run.data.tags["state"]) == ("KILLED", "interrupted")


def test_a_study_in_which_no_trial_ran_to_its_end_has_failed(load):
    loaded = load("search.trials=2", "limits.failures=5")
    search = begin(loaded)
    while (assignment := search.ask()) is not None:
        search.fail(assignment.number, "ValueError: no")
    result = study.resume(loaded)
    assert result.state is StudyState.FAILED
    assert any("ValueError: no (2 trials)" in warning for warning in result.warnings)


def test_how_safely_rungs_stopped_is_stored_and_told_to_mlflow_and_to_the_reader(load):
    from mlflow import MlflowClient

    loaded = load("search.baselines=literature", "search.trials=20", "scheduler.strata=none")
    search = begin(loaded)
    # What mixes starts slowly and ends best, so the first rung would have stopped the published CutMix.
    drive(
        search, lambda a, e: 0.8 - 0.1 / e if a.config["mixing"]["name"] == "none" else 0.9 - a.number * 0.001 - 0.8 / e
    )
    result = study.resume(loaded)
    found = safety.stopping(storage.load(loaded.name), result.trials)
    assert found is not None
    assert (found.never_stopped, [rung.epoch for rung in found.rungs]) == (3, [1, 3])
    run = MlflowClient(result.tracking["uri"]).get_run(result.tracking["run_id"])
    assert run.data.tags["stopping"] == found.words
    assert run.data.metrics["rung_3_wrong_share"] == pytest.approx(found.rungs[1].wrong_share)
    assert found.is_safe is not False or found.words in result.warnings


def test_a_study_that_stops_nothing_has_nothing_to_say_of_stopping(load):
    loaded = load("search.trials=2", "scheduler={name: fifo}")
    drive(begin(loaded), rising)
    result = study.resume(loaded)
    assert safety.stopping(storage.load(loaded.name), result.trials) is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_resume_keeps_the_limits_it_was_given(load):
    drive(begin(load("search.trials=1")), rising)
    study.resume(load("search.trials=1", "limits.hours=3"))
    assert "hours: 3" in (storage.study_directory("simulated") / study.STUDY_FILE).read_text()
    assert stored.source("simulated") == load("search.trials=1", "limits.hours=3").source
