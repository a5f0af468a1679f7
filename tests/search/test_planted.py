"""Whole studies in simulated time, and a planted truth that slow starts hide (numbers: tests/benchmarks/search.py)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import mean

import pytest

from tests.search.conftest import begin, drive, rising
from tests.search.planted import CUTMIX_IS_BETTER, STUDY, Planted
from tests.search.simulator import simulate
from tuner import spec
from tuner.results import TrialState
from tuner.search import storage


@pytest.fixture
def planted(tmp_path: Path):
    def loaded(*overrides: str, epochs: int = 81, trials: int = 64) -> spec.StudySpec:
        path = tmp_path / "planted.yaml"
        path.write_text(STUDY.format(epochs=epochs, trials=trials, sampler="random"))
        return spec.load(path, overrides)

    return loaded


def whole(assignment):
    return [rising(assignment, epoch) for epoch in range(1, 10)]


def test_a_simulated_study_is_the_study_that_a_driver_with_a_journal_runs(load):
    loaded = load()
    search = begin(loaded)
    drive(search, rising)
    written = [(r.config, r.curve, r.state, r.cause) for r in storage.records(search.study)]
    assert [(r.config, r.curve, r.state, r.cause) for r in simulate(loaded, whole, workers=1).trials] == written


@pytest.mark.parametrize(("workers", "seconds"), [(1, 12 * 9), (3, 4 * 9), (5, 3 * 9), (99, 9)])
def test_workers_train_side_by_side(load, workers, seconds):
    study = simulate(load("scheduler={name: fifo}"), whole, workers)
    assert (study.seconds, study.epochs) == (seconds, 12 * 9)


def test_a_slow_trial_takes_its_time_while_others_pass(load):
    study = simulate(load("scheduler={name: fifo}"), whole, 2, lambda a: 11.0 if a.number == 0 else 1.0)
    assert study.seconds == 11 * 9


def test_stopped_trials_have_the_epochs_up_to_their_rung_and_never_win(load):
    study = simulate(load(), whole, workers=4)
    stopped = [trial for trial in study.trials if trial.state is TrialState.PRUNED]
    assert {trial.epochs for trial in stopped} <= {1, 3}
    assert study.epochs == sum(trial.epochs for trial in study.trials) < 12 * 9
    assert study.winner.epochs == 9


def test_the_planted_truth_hides_its_best_at_first(planted):
    quiet = Planted(CUTMIX_IS_BETTER.gains, seed_noise=0, epoch_noise=0)
    study = simulate(planted("scheduler={name: fifo}", trials=20), lambda a: quiet.curve(a, 81, 0), 8)
    best = min(study.trials, key=quiet.regret)
    unmixed = study.trials[0]
    assert best.params["mixing.name"] == "cutmix"
    assert best.curve[2] < unmixed.curve[2]
    assert best.curve[-1] == pytest.approx(unmixed.curve[-1] + 0.03, abs=0.001)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside Ray
def test_slow_starts_do_not_hide_the_best_method_from_strata_as_from_stock(planted):
    from tests.search import stock

    truth = CUTMIX_IS_BETTER
    regrets, epochs = {}, {}
    for name in ("stock", "strength", "both"):
        own = planted() if name == "stock" else planted(f"scheduler.strata={name}")
        studies = []
        for seed in range(0, 4000, 1000):
            one, curves = replace(own, seed=seed), lambda a, seed=seed: truth.curve(a, 81, seed)
            studies.append(stock.simulate(one, curves, 8, own.trial) if name == "stock" else simulate(one, curves, 8))
        regrets[name] = mean(truth.regret(study.winner) for study in studies)
        epochs[name] = mean(study.epochs for study in studies)
        assert name == "stock" or all(study.winner.params["mixing.name"] != "none" for study in studies)
    assert regrets["stock"] > 0.015
    assert max(regrets["strength"], regrets["both"]) < regrets["stock"] / 3
    assert max(epochs["strength"], epochs["both"]) < 1.3 * epochs["stock"]
