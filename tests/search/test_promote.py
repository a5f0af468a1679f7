"""`promote: true`: trials that fall short wait at their rung, and the best of them go on when it has filled."""

from __future__ import annotations

import pytest

from tests.search.conftest import again, begin, drive, metrics, train
from tuner.results import TrialState
from tuner.search import storage

ONE_RUNG = ("scheduler={promote: true, grace_epochs: 3, strata: none}", "search.trials=7", "search.baselines=none")


def records(search):
    return storage.records(search.study)


def flat(values):
    """A curve whose value says which trial it is."""
    return lambda assignment, epoch: values[assignment.number]


def test_a_paused_trial_goes_on_from_its_epochs_when_it_is_among_the_best(load):
    search = begin(load(*ONE_RUNG))
    # The baseline 0 is never stopped; 1 falls short of it and of nobody else, so it is second of six at the end.
    values = [0.9, 0.8, 0.1, 0.2, 0.3, 0.4, 0.5]
    done = drive(search, flat(values))
    assert [a.number for a in done] == [0, 1, 2, 3, 4, 5, 1, 6]
    assert [a.epochs for a in done if a.number == 1] == [0, 3]
    assert [r.epochs for r in records(search)] == [9, 9, 3, 3, 3, 3, 3]
    assert search.finished


def test_what_never_went_on_is_pruned_at_the_end_and_says_against_what(load):
    search = begin(load(*ONE_RUNG))
    drive(search, flat([0.9, 0.8, 0.1, 0.2, 0.3, 0.4, 0.5]))
    ended = records(search)[2]
    assert ended.state is TrialState.PRUNED
    assert ended.cause == "paused at epoch 3 and never went on: 10.0 below 80.0"
    assert not search.wants_more()


def test_a_paused_trial_keeps_its_checkpoint_and_its_slot_is_free(load):
    search = begin(load(*ONE_RUNG), slots=2)
    first, second = search.ask(), search.ask()
    train(search, first, flat([0.9]))
    checkpoint = search.checkpoint_path(second.number)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.write_bytes(b"state")
    assert second.pausing_epochs == (3,)
    assert train(search, second, lambda a, e: 0.1) == 3
    assert checkpoint.exists()
    assert records(search)[1].cause == "paused at epoch 3: 10.0 below 90.0"
    assert search.ask() is not None
    assert search.ask() is not None


def falling(assignment, epoch):
    """Curves that let the first trials go on when later ones have shown how good they are."""
    return (0.9 - 0.01 * assignment.number) * (1 - 0.5**epoch)


@pytest.mark.parametrize("killed_after", range(1, 40, 3))
def test_a_killed_study_pauses_and_promotes_as_if_it_had_not_been(load, monkeypatch, tmp_path, killed_after):
    loaded = load("scheduler={promote: true, grace_epochs: 1, strata: none}", "search.trials=10")
    undisturbed = begin(loaded)
    asked = drive(undisturbed, falling)
    assert len(asked) > 10  # some were promoted
    expected = [(r.params, r.curve, r.state, r.cause) for r in records(undisturbed)]

    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "killed"))
    search, reports = begin(loaded), 0
    while reports < killed_after and (assignment := search.ask()) is not None:
        for epoch in range(assignment.epochs + 1, 10):
            reports += 1
            if search.report(assignment.number, metrics(epoch, falling(assignment, epoch))) or reports == killed_after:
                break
    resumed = again(loaded)
    drive(resumed, falling)
    assert [(r.params, r.curve, r.state, r.cause) for r in records(resumed)] == expected


def test_a_driver_that_died_between_an_epoch_and_its_decision_decides_it_first(load):
    loaded = load(*ONE_RUNG)
    search = begin(loaded)
    train(search, search.ask(), flat([0.9]))
    second = search.ask()
    for epoch in (1, 2):
        search.report(second.number, metrics(epoch, 0.1))
    search._live[second.number].report(metrics(3, 0.1))  # stored, and then the driver was killed
    resumed = again(loaded)
    assert resumed.ask().number == 2
    assert records(resumed)[1].cause.startswith("paused at epoch 3")


def test_a_trial_that_runs_alone_stays_alone_whoever_may_go_on(load):
    search = begin(load("scheduler={promote: true, grace_epochs: 3, strata: none}", "search.trials=7"), slots=2)
    values = [0.9, 0.8, 0.1, 0.2, 0.3, 0.4, 0.95]
    was_large = False
    while (assignment := search.ask()).number != 6 or not was_large:
        if assignment.number == 6:
            search.out_of_memory(6, "OutOfMemoryError: no")
            was_large = True
        else:
            train(search, assignment, flat(values))
    for epoch in range(1, 10):
        assert search.ask() is None  # nobody joins it, also not when its value lets others go on
        if search.report(6, metrics(epoch, 0.05)):
            break


def test_hours_used_up_leave_paused_trials_for_a_resume(load):
    loaded = load(*ONE_RUNG, "limits.epochs=12")
    search = begin(loaded)
    drive(search, flat([0.9, 0.1]))
    assert search.finished
    assert records(search)[1].state is TrialState.RUNNING
    resumed = again(load(*ONE_RUNG))
    drive(resumed, flat([0.9, 0.1, 0.1, 0.2, 0.3, 0.4, 0.5]))
    assert [r.state for r in records(resumed)].count(TrialState.RUNNING) == 0
