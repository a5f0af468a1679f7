"""A study that learns from an earlier one's trials."""

from __future__ import annotations

import pytest
from optuna.trial import TrialState as OptunaState

from tests.search.conftest import STUDY, again, begin, drive, rising
from tuner.errors import StudyFileError
from tuner.results import TrialState
from tuner.search import storage, warm_start

LATER = "name=later", "search.warm_start=[simulated]"


def earlier(load, *overrides: str, text: str = STUDY):
    search = begin(load(*overrides, text=text))
    drive(search, rising)
    return search


def started(load, *overrides: str, text: str = STUDY):
    loaded = load(*LATER, *overrides, text=text)
    search = begin(loaded)
    warm_start.add(loaded, search.study, warm_start.sources(loaded))
    return search


def taken(search):
    return [t for t in search.study.trials if "taken_from" in t.user_attrs]


def drawn(search):
    return [t for t in search.study.trials if t.params and "config" in t.user_attrs]


def test_trials_of_the_same_space_are_there_with_values_and_epochs_and_are_not_trained_again(load):
    source = earlier(load)
    search = started(load)
    assert [(t.params, t.state, t.value, t.intermediate_values) for t in taken(search) if t.params] == [
        (t.params, t.state, t.value, t.intermediate_values) for t in drawn(source)
    ]
    assert len(drive(search, rising)) == 12
    assert len(storage.records(search.study)) == 12
    assert storage.records(search.study)[0].baseline


def test_the_sampler_learns_from_them(load):
    def best_alphas(search):
        drive(search, rising)
        alphas = [r.params["mixing.ratio.alpha"] for r in storage.records(search.study) if not r.baseline]
        return sum(0.5 < alpha < 2 for alpha in alphas) / len(alphas)

    one_method = STUDY.replace("      cutmix: {probability: {low: 0.25, high: 1.0, step: 0.25}}\n", "")
    earlier(load, "search.trials=60", "scheduler={name: fifo}", text=one_method)
    warm = best_alphas(started(load, "scheduler={name: fifo}", text=one_method))
    cold = best_alphas(begin(load("name=cold", "scheduler={name: fifo}", text=one_method)))
    assert warm > cold


def test_a_trial_outside_the_space_is_left_out_and_said(load):
    source = earlier(load, "search.trials=20")
    narrow = STUDY.replace("high: 8.0", "high: 0.5")
    search = started(load, text=narrow)
    inside = [t for t in drawn(source) if t.params.get("mixing.mixup.ratio.alpha", 0) <= 0.5]
    assert len([t for t in taken(search) if t.params]) == len(inside)
    said = warm_start.words(search.study)[0]
    assert said.startswith(f"{len(taken(search))} trials of study simulated inform the sampler, ")
    assert "is outside 0.05 to 0.5" in said


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("trial.training.batch_size=32", "batch_size is 128, but the space fixes it at 32"),
        (
            "trial.training={epochs: 9, optimizer: sgd}",
            "optimizer is {'name': 'adam'}, but the space fixes it at 'sgd'",
        ),
        ("trial.training.epochs=12", "epochs is 9, but the space fixes it at 12"),
        ("objective.metric=val_nll", "optimised val_accuracy, not val_nll"),
    ],
)
def test_another_training_is_no_evidence_for_this_one(load, change, reason):
    earlier(load)
    search = started(load, change)
    assert taken(search) == []
    assert warm_start.words(search.study)[0] == (
        f"0 trials of study simulated inform the sampler, 12 do not: {reason} (12)"
    )


def test_trials_of_other_studies_do_not_make_a_failed_study_good(load):
    earlier(load)
    search = started(load, "search.trials=3")
    while (assignment := search.ask()) is not None:
        search.fail(assignment.number, "ValueError: no")
    assert not search.has_complete()


def test_failed_trials_are_no_evidence(load):
    search = begin(load("search.trials=3"))
    search.fail(search.ask().number, "ValueError: no")
    drive(search, rising)
    later = started(load)
    assert all(t.state is not OptunaState.FAIL for t in taken(later))
    assert "failed or not finished (1)" in warm_start.words(later.study)[0]


def test_a_driver_killed_half_way_adds_the_rest_once(load):
    earlier(load)
    whole = started(load)
    loaded = load(*LATER, "name=half")
    half = begin(loaded)
    half.study.add_trial(taken(whole)[0])
    assert warm_start.is_missing(loaded, half.study)
    warm_start.add(loaded, half.study, warm_start.sources(loaded))
    assert len(taken(half)) == len(taken(whole))
    assert not warm_start.is_missing(loaded, half.study)


def test_a_resumed_study_draws_as_if_it_had_not_been_killed(load, monkeypatch, tmp_path):
    earlier(load)
    undisturbed = started(load)
    drive(undisturbed, rising)
    killed = started(load, "name=killed")
    for _ in range(4):
        killed.ask()
        killed = again(killed.spec)
    drive(killed, rising)
    assert [r.params for r in storage.records(killed.study)] == [r.params for r in storage.records(undisturbed.study)]
    assert all(r.state is not TrialState.RUNNING for r in storage.records(killed.study))


def test_a_study_that_does_not_exist_is_a_mistake_in_the_file(load):
    loaded = load("search.warm_start=[nowhere, simulated]")
    with pytest.raises(StudyFileError) as error:
        warm_start.sources(loaded)
    assert "no study named nowhere" in str(error.value)
    assert "cannot start from itself" in str(error.value)
