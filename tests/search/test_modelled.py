"""The Gaussian process and the evolution strategy: what they draw, and that nobody waits for the slow one."""

from __future__ import annotations

import math
import time

import pytest

from tests.search.conftest import STUDY, again, begin, drive, metrics, rising, train
from tuner.errors import StudyFileError
from tuner.results import TrialState
from tuner.search import storage

FLAT = """
name: flat
trial:
  dataset: {name: digits}
  model: {name: small_cnn, padding: same}
  training: {epochs: 9}
  mixing:
    name: mixup
    probability: {low: 0.0, high: 1.0}
    ratio: {name: beta, alpha: {low: 0.05, high: 8.0, log: true}}
search: {trials: 40}
scheduler: {grace_epochs: 1, reduction: 3}
"""


def quadratic(assignment, epoch):
    """Best at alpha 2 and probability 0.25."""
    mixing = assignment.config["mixing"]
    if mixing["name"] == "none":
        return 0.1
    away = (math.log(mixing["ratio"]["alpha"] / 2) / 5) ** 2 + (mixing["probability"] - 0.25) ** 2
    return (0.9 - away) * (1 - 0.5**epoch)


def drawn(search):
    return [record for record in storage.records(search.study) if not record.baseline]


@pytest.mark.parametrize("sampler", ["gp", "cmaes"])
def test_what_they_draw_comes_nearer_to_the_best_though_most_trials_are_stopped(load, sampler):
    search = begin(load(f"search.sampler={sampler}", "search.trials=28", text=FLAT))
    drive(search, quadratic)
    values = [quadratic(record, 9) for record in drawn(search)]
    assert any(record.state is TrialState.PRUNED for record in drawn(search))
    assert sum(values[-8:]) / 8 > sum(values[:8]) / 8 + 0.02


def test_the_process_draws_in_every_branch_of_a_conditional_space(load):
    search = begin(load("search.sampler=gp", "search.trials=16"))
    drive(search, rising)
    assert len(drawn(search)) == 15
    for record in drawn(search):
        alpha = record.params["mixing.ratio.alpha"]
        assert alpha == 1.0 if record.params["mixing.name"] == "cutmix" else 0.05 <= alpha <= 8


def test_while_the_process_draws_nobody_waits(load):
    search = begin(load("search.sampler=gp", "search.trials=20"), slots=2)
    while len(storage.records(search.study)) < 14:
        train(search, search.ask(), rising)
    running = search.ask()
    assert search.ask() is None
    assert not search.finished
    assert not search.report(running.number, metrics(1, 1.0))
    late = time.monotonic() + 60
    while (other := search.ask()) is None and time.monotonic() < late:
        time.sleep(0.01)
    assert other.number > running.number


def test_a_point_that_was_being_drawn_when_the_study_was_interrupted_is_the_next_one_to_run(load):
    loaded = load("search.sampler=gp", "search.trials=5")
    search = begin(loaded, slots=2)
    running = search.ask()
    search.ask()
    search.interrupt("interrupted")
    resumed = again(loaded, slots=2)
    assert [resumed.ask().number for _ in range(2)] == [running.number, running.number + 1]
    assert len(storage.records(resumed.study)) == 2


def test_a_killed_study_draws_the_same_points(load, monkeypatch, tmp_path):
    loaded = load("search.sampler=gp", "search.trials=14", text=FLAT)
    undisturbed = begin(loaded)
    drive(undisturbed, quadratic)
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "killed"))
    search = begin(loaded)
    for _ in range(12):
        train(search, search.ask(), quadratic)
    resumed = again(loaded)
    drive(resumed, quadratic)
    assert [record.params for record in drawn(resumed)] == [record.params for record in drawn(undisturbed)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            STUDY,
            r"search.sampler: cmaes searches real numbers alone; not so: mixing, mixing.cutmix.probability; use tpe",
        ),
        (
            FLAT.replace("    probability: {low: 0.0, high: 1.0}\n", ""),
            "cmaes needs two ranges or more, the trial has 1",
        ),
    ],
)
def test_the_evolution_strategy_is_refused_where_it_cannot_search(load, text, words):
    with pytest.raises(StudyFileError, match=words):
        load("search.sampler=cmaes", text=text)
