"""When a study or a trial ends before its time, and what each cause of failure costs."""

from __future__ import annotations

import pytest

from tests.search.conftest import again, begin, drive, metrics, rising, train
from tuner.results import StudyState, TrialState
from tuner.search import storage, study
from tuner.search.search import RETRIES

EPOCHS = "limits.epochs=20"


def records(search):
    return storage.records(search.study)


def trained(search) -> int:
    return sum(record.epochs for record in records(search))


def test_a_study_ends_when_its_epochs_are_used_up(load):
    search = begin(load(EPOCHS), slots=2)
    running = [search.ask(), search.ask()]
    epoch = 0
    while not search.finished:
        epoch += 1
        for assignment in running:
            search.report(assignment.number, metrics(epoch, 0.5))
        running = [a for a in running if records(search)[a.number].state is TrialState.RUNNING]
        running += [more for _ in range(2 - len(running)) if (more := search.ask())]
        epoch = 0 if epoch == 9 else epoch
    assert trained(search) == 20
    assert search.out_of_budget


def test_epochs_trained_before_a_resume_count(load):
    search = begin(load("limits.epochs=9"))
    assert train(search, search.ask(), rising) == 9
    resumed = again(load("limits.epochs=9"))
    assert resumed.ask() is None
    assert again(load("limits.epochs=10")).ask() is not None


def test_a_trial_that_the_budget_cut_off_goes_on_when_there_is_more(load):
    search = begin(load("limits.epochs=4"))
    assert train(search, search.ask(), rising) == 4
    assert records(search)[0].state is TrialState.RUNNING
    resumed = again(load("limits.epochs=9"))
    assert resumed.ask().number == 0
    assert resumed.report(0, metrics(9, 0.9))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside MLflow
def test_a_study_that_used_its_epochs_says_so_without_starting_anything(load):
    loaded = load("limits.epochs=9")
    drive(begin(loaded), rising)
    assert study.resume(loaded).state is StudyState.OUT_OF_BUDGET


def test_out_of_memory_is_tried_once_more_at_the_end_and_alone(load):
    search = begin(load("search.trials=4"), slots=2)
    first, second = search.ask(), search.ask()
    search.out_of_memory(second.number, "OutOfMemoryError: no")
    third = search.ask()
    assert third.number == 2
    train(search, first, rising)
    fourth = search.ask()
    train(search, third, rising)
    assert search.ask() is None  # the fourth still runs beside it
    assert not search.finished
    train(search, fourth, rising)
    alone = search.ask()
    assert (alone.number, alone.config, alone.seed) == (second.number, second.config, second.seed)
    assert search.ask() is None
    train(search, alone, rising)
    assert search.finished
    assert all(record.state in {TrialState.COMPLETE, TrialState.PRUNED} for record in records(search))


def test_out_of_memory_twice_is_a_failure_also_across_a_restart(load):
    search = begin(load("search.trials=2"))
    search.out_of_memory(search.ask().number, "OutOfMemoryError: no")
    resumed = again(load("search.trials=2"))
    assert train(resumed, resumed.ask(), rising) == 9
    alone = resumed.ask()
    assert alone.number == 0
    resumed.out_of_memory(alone.number, "OutOfMemoryError: still no")
    assert resumed.ask() is None
    assert resumed.finished
    assert (records(resumed)[0].state, records(resumed)[0].cause) == (TrialState.FAILED, "OutOfMemoryError: still no")


@pytest.mark.parametrize("broken", ["error", "diverged"])
def test_the_users_own_error_and_divergence_are_not_tried_again(load, broken):
    search = begin(load("search.trials=2"))
    number = search.ask().number
    if broken == "error":
        search.fail(number, "ValueError: no")
    else:
        search.report(number, metrics(1, float("nan")))
    drive(search, rising)
    assert [record.state for record in records(search)] == [TrialState.FAILED, TrialState.COMPLETE]


def test_a_trial_goes_on_when_its_process_is_lost_but_not_for_ever_also_over_restarts_of_the_driver(load):
    search = begin(load())
    number = search.ask().number
    for _ in range(RETRIES - 1):
        search.report(number, metrics(1, 0.5))
        search.lost(number, "killed")
        assert search.ask().number == number
    assert f"trial {number}: its process was lost" in search.warnings[0]
    resumed = again(load())
    assert resumed.ask().number == number
    resumed.lost(number, "killed")
    assert resumed.ask().number == number
    resumed.lost(number, "what was said\nkilled again")
    assert records(resumed)[number].state is TrialState.FAILED
    assert records(resumed)[number].cause == "its worker was lost: killed again"
    assert resumed.ask().number != number


def test_a_lost_node_is_no_fault_of_its_trials(load):
    search = begin(load())
    number = search.ask().number
    for _ in range(2 * RETRIES):
        search.lost(number, "its node has died", with_node=True)
        assert search.ask().number == number
    assert search.report(number, metrics(9, 0.9))
    assert records(search)[number].state is TrialState.COMPLETE


def test_what_was_tried_alone_stays_alone_when_its_process_is_lost(load):
    search = begin(load("search.trials=2"), slots=2)
    first, second = search.ask(), search.ask()
    search.out_of_memory(first.number, "OutOfMemoryError: no")
    train(search, second, rising)
    assert search.ask().number == first.number
    search.lost(first.number, "killed")
    assert search.ask().number == first.number
    assert search.ask() is None


def test_a_hung_trial_fails_with_the_time_and_its_last_epoch(load):
    search = begin(load())
    number = search.ask().number
    search.report(number, metrics(1, 0.5))
    search.hang(number, 660.0)
    assert records(search)[0].state is TrialState.FAILED
    assert records(search)[0].cause.startswith("reported nothing for 11 minutes after epoch 1: it hung")


def test_a_checkpoint_that_is_gone_is_said(load):
    search = begin(load())
    number = search.ask().number
    for epoch in range(1, 3):
        search.report(number, metrics(epoch, 0.5))
    resumed = again(load())
    resumed.ask()
    assert resumed.warnings == []  # two epochs of a second: there was none yet
    for epoch in range(3, 5):
        resumed.report(number, metrics(epoch, 0.5, seconds=30.0))
    later = again(load())
    later.ask()
    assert "is gone: it began again at epoch 1" in later.warnings[0]


def test_epochs_repeated_after_a_restart_are_not_judged_again_by_what_came_later(load):
    """A trial passed its first rung; others that came later were better; the driver died."""
    search = begin(load("search.baselines=none"), slots=2)
    train(search, search.ask(), rising)
    slow, *_ = search.ask(), search.ask()
    assert not search.report(slow.number, metrics(1, 0.4))
    assert not search.report(slow.number, metrics(2, 0.5))
    while search.study.trials[-1].number < 11:
        assignment = search.ask()
        if assignment is None:
            break
        train(search, assignment, lambda a, e: 0.9)
    resumed = again(load(), slots=3)
    handed = resumed.ask()
    while handed.number != slow.number:
        handed = resumed.ask()
    assert not resumed.report(slow.number, metrics(1, 0.4))
