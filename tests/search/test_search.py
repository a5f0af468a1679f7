"""The search as Ray drives it, without Ray: order, decisions, what is written down, and what a restart finds."""

from __future__ import annotations

import math

import pytest
from optuna.trial import TrialState as OptunaState

from tests.search.conftest import STUDY, again, begin, drive, metrics, rising, train
from tuner.errors import StudyFileError
from tuner.results import TrialState, over_seeds, unmixed_baseline
from tuner.search import baselines, storage
from tuner.search.search import Search


def records(search):
    return storage.records(search.study)


def test_no_mixing_runs_first_and_to_the_full_budget_however_bad(load):
    search = begin(load())
    first = drive(search, lambda a, e: 0.1 if a.config["mixing"]["name"] == "none" else 0.5 + 0.01 * a.number)[0]
    baseline = records(search)[0]
    assert first.config["mixing"] == {"name": "none"}
    assert baseline.baseline
    assert (baseline.state, baseline.epochs) == (TrialState.COMPLETE, 9)


def test_published_settings_run_next_when_asked_for(load):
    search = begin(load("search.baselines=literature"))
    drive(search, rising)
    names = [
        (r.params["mixing.name"], r.params.get("mixing.ratio.alpha"), r.epochs) for r in records(search) if r.baseline
    ]
    assert names == [("none", None, 9), ("mixup", 1.0, 9), ("cutmix", 1.0, 9)]


def test_no_mixing_is_not_drawn_again_where_it_could_only_repeat_the_baseline(load):
    search = begin(load("search.trials=30"))
    drive(search, rising)
    assert sum(r.params["mixing.name"] == "none" for r in records(search)) == 1


def test_no_mixing_is_drawn_again_where_something_else_is_searched(load):
    search = begin(load("search.trials=40", "search.sampler=random", "trial.training.batch_size={any: [32, 64]}"))
    drive(search, rising)
    assert sum(r.params["mixing.name"] == "none" for r in records(search)) > 1


def test_the_number_of_trials_counts_baselines_and_ends_the_study(load):
    search = begin(load())
    assert len(drive(search, rising)) == 12
    assert search.finished


def test_a_stopped_trial_is_pruned_with_all_its_epochs_and_the_deciding_one(load):
    search = begin(load())
    drive(search, rising)
    pruned = [t for t in search.study.trials if t.state is OptunaState.PRUNED]
    assert pruned
    for trial in pruned:
        last = max(trial.intermediate_values)
        assert last in {1, 3}
        assert sorted(trial.intermediate_values) == list(range(1, last + 1))
        assert trial.value == trial.intermediate_values[last]
        assert trial.user_attrs["cause"].startswith(f"stopped at epoch {last}: ")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_ends_the_trial_at_once_as_diverged(load, value):
    search = begin(load())
    drive(search, lambda a, e: value if a.number == 3 and e == 2 else rising(a, e) + 0.1 * (a.number == 3))
    failed = records(search)[3]
    assert failed.state is TrialState.FAILED
    assert failed.cause.startswith("diverged at epoch 2: val_accuracy")
    assert failed.epochs == 1
    assert len(records(search)) == 12


def test_what_the_trial_raised_is_its_cause(load):
    search = begin(load())
    assignment = search.ask()
    search.fail(assignment.number, "ValueError: no")
    assert (records(search)[0].state, records(search)[0].cause) == (TrialState.FAILED, "ValueError: no")


def test_a_study_whose_first_trials_all_fail_stops(load):
    search = begin(load("limits.failures=3"))
    asked = 0
    while (assignment := search.ask()) is not None:
        search.fail(assignment.number, "ImportError: no")
        asked += 1
    assert asked == 3
    assert search.too_many_failures()


def test_one_success_lets_the_study_go_on_despite_failures(load):
    search = begin(load("limits.failures=3"))
    train(search, search.ask(), rising)
    asked = 1
    while (assignment := search.ask()) is not None:
        search.fail(assignment.number, "ImportError: no")
        asked += 1
    assert asked == 12


def test_no_more_trials_are_handed_out_than_there_are_slots(load):
    search = begin(load(), slots=2)
    first, second = search.ask(), search.ask()
    assert {first.number, second.number} == {0, 1}
    assert search.ask() is None
    assert not search.finished
    train(search, first, rising)
    assert search.ask().number == 2


def test_the_same_file_draws_the_same_trials(load, monkeypatch, tmp_path):
    def run(home):
        monkeypatch.setenv("TUNER_HOME", str(tmp_path / home))
        search = begin(load())
        drive(search, rising)
        return [(r.params, r.curve, r.cause) for r in records(search)]

    assert run("one") == run("two")


@pytest.mark.parametrize("killed_after", [1, 4, 11, 23])
def test_a_killed_study_goes_on_as_if_it_had_not_been(load, monkeypatch, tmp_path, killed_after):
    loaded = load("search.trials=8")
    undisturbed = begin(loaded)
    drive(undisturbed, rising)
    expected = [(r.params, r.curve, r.state, r.cause) for r in records(undisturbed)]

    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "killed"))
    search = begin(loaded)
    reports = 0
    while reports < killed_after:
        assignment = search.ask()
        for epoch in range(1, 10):
            reports += 1
            if search.report(assignment.number, metrics(epoch, rising(assignment, epoch))) or reports == killed_after:
                break
    resumed = again(loaded)  # the first process is gone: nothing was told to it, nothing was closed
    drive(resumed, rising)
    assert [(r.params, r.curve, r.state, r.cause) for r in records(resumed)] == expected


def test_an_interrupted_trial_is_handed_out_first_with_its_own_checkpoint(load):
    loaded = load()
    search = begin(loaded)
    train(search, search.ask(), rising)
    left = search.ask()
    train(search, left, rising, upto=1)
    search.interrupt("interrupted")
    handed = again(loaded).ask()
    assert (handed.number, handed.config, handed.seed) == (left.number, dict(left.config), left.seed)
    assert handed.checkpoint == left.checkpoint
    assert records(search)[1].state is TrialState.RUNNING


def test_epochs_trained_again_after_a_resume_are_not_recorded_twice(load):
    loaded = load()
    search = begin(loaded)
    train(search, search.ask(), rising, upto=4)
    resumed = again(loaded)
    train(resumed, resumed.ask(), rising)
    assert records(resumed)[0].epochs == 9


def test_hours_used_up_leave_running_trials_for_a_resume(load, monkeypatch):
    search = begin(load("limits.hours=1"))
    assignment = search.ask()
    search.report(assignment.number, metrics(1, 0.5))
    monkeypatch.setattr("tuner.search.budget.time.monotonic", lambda: 10**9)
    assert search.report(assignment.number, metrics(2, 0.5))
    assert search.out_of_budget
    assert search.finished
    assert records(search)[0].state is TrialState.RUNNING


def test_a_grid_runs_every_point_once_and_ends(load):
    text = STUDY.replace("alpha: {low: 0.05, high: 8.0, log: true}", "alpha: {any: [0.2, 1.0, 4.0]}")
    search = begin(load("search.sampler=grid", text=text))
    drive(search, rising)
    drawn = [
        (r.params["mixing.name"], r.params.get("mixing.ratio.alpha"), r.params.get("mixing.probability"))
        for r in records(search)
    ]
    assert len(drawn) == len(set(drawn)) == 1 + 3 + 4


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_every_sampler_draws_within_the_space(load, sampler):
    search = begin(load(f"search.sampler={sampler}", "search.trials=25"))
    drive(search, rising)
    drawn = records(search)[1:]
    assert {r.params["mixing.name"] for r in drawn} == {"mixup", "cutmix"}
    assert all(0.05 <= r.params["mixing.ratio.alpha"] <= 8 for r in drawn)
    assert len({str(r.params) for r in drawn if r.params["mixing.name"] == "mixup"}) > 5


def test_a_configuration_drawn_again_gets_a_new_seed(load):
    text = STUDY.replace("{ratio: {name: beta, alpha: {low: 0.05, high: 8.0, log: true}}}", "{}")
    search = begin(load("search.sampler=random", "search.trials=20", text=text))
    drive(search, rising)
    mixup = [r.seed for r in records(search) if r.params["mixing.name"] == "mixup"]
    assert mixup == [0, 1, 2]


def test_loss_objectives_stop_the_larger_value(load):
    search = begin(load("objective.metric=val_nll"))
    drive(search, rising)
    pruned = [r for r in records(search) if r.state is TrialState.PRUNED]
    assert pruned
    assert all(" above " in r.cause for r in pruned)


def test_observers_hear_every_event_once(load):
    heard = []

    class Ear:
        def trial_started(self, trial):
            heard.append(("start", trial.number))

        def epoch_reported(self, trial, metrics):
            heard.append(("epoch", trial.number, metrics.epoch))

        def trial_ended(self, trial):
            heard.append(("end", trial.number, trial.state))

    search = begin(load("search.trials=2"), observers=[Ear()])
    drive(search, rising)
    assert heard[0] == ("start", 0)
    assert heard.count(("end", 0, TrialState.COMPLETE)) == 1
    assert [event for event in heard if event[:2] == ("epoch", 0)] == [("epoch", 0, epoch) for epoch in range(1, 10)]


def test_a_driver_killed_while_it_queued_the_baselines_queues_the_rest(load):
    loaded = load("search.baselines=literature")
    whole = storage.create(loaded.name, maximise=True)
    baselines.enqueue(whole, baselines.queue(loaded))
    half = storage.create("half", maximise=True)
    half.enqueue_trial({}, user_attrs=whole.trials[0].user_attrs)
    baselines.enqueue(half, baselines.queue(loaded))
    assert [t.user_attrs for t in half.trials] == [t.user_attrs for t in whole.trials]
    baselines.enqueue(half, baselines.queue(loaded))
    assert len(half.trials) == 3


def test_the_baseline_takes_the_middle_of_what_is_searched_beside_the_mixing(load):
    text = STUDY.replace(
        "training: {epochs: 9}",
        "training: {epochs: 9, optimizer: {name: sgd, learning_rate: {low: 0.001, high: 0.1, log: true}}}",
    )
    search = begin(load("search.trials=1", text=text))
    drive(search, rising)
    assert records(search)[0].params["training.optimizer.learning_rate"] == pytest.approx(0.01)


def test_the_best_unmixed_trial_is_what_mixing_has_to_beat(load):
    text = STUDY.replace("training: {epochs: 9}", "training: {epochs: 9, batch_size: {any: [32, 64]}}")
    search = begin(load("search.trials=30", "search.sampler=random", "scheduler={name: fifo}", text=text))
    drive(search, lambda a, e: 0.5 + 0.01 * a.number + 0.001 * e)
    unmixed = over_seeds([r for r in records(search) if r.params["mixing.name"] == "none"])
    assert len(unmixed) == 2  # a batch size each, some of them on several seeds
    assert unmixed_baseline(records(search), maximise=True) == max(unmixed, key=lambda one: one.mean).first


def test_a_grid_of_more_trials_than_wanted_is_refused_before_anything_is_made(load):
    text = STUDY.replace("alpha: {low: 0.05, high: 8.0, log: true}", "alpha: {any: [0.2, 1.0, 4.0]}")
    loaded = load("search.sampler=grid", "search.trials=8", "search.baselines=literature", text=text)
    with pytest.raises(StudyFileError, match=r"search.trials: the grid and its baselines make 9 trials, read 8"):
        baselines.queue(loaded)


def test_a_baseline_that_was_only_asked_for_when_the_driver_died_runs_all_the_same(load):
    loaded = load()
    begin(loaded).study.ask()
    resumed = again(loaded)
    drive(resumed, rising)
    assert len(records(resumed)) == 12
    assert [r.params["mixing.name"] for r in records(resumed) if r.baseline] == ["none"]


def test_a_trial_that_was_only_asked_for_when_the_driver_died_is_drawn_again(load):
    loaded = load("search.sampler=random", "search.baselines=none")
    drive(begin(loaded), rising)
    undisturbed = [(r.params, r.seed) for r in storage.records(storage.load("simulated"))]
    storage.delete("simulated")
    search = begin(loaded)
    for _ in range(3):
        train(search, search.ask(), rising)
    search.study.ask()
    drive(again(loaded), rising)
    assert [(r.params, r.seed) for r in storage.records(storage.load("simulated"))] == undisturbed


def test_hours_spent_before_a_resume_count(load):
    loaded = load("limits.hours=1")
    study = begin(loaded).study
    assert Search(loaded, study, 1, spent_seconds=3500).ask() is not None
    assert Search(loaded, study, 1, spent_seconds=3601).ask() is None
