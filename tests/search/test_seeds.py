"""`search.seeds`: every configuration is trained on so many, and nothing is decided by one of them alone."""

from __future__ import annotations

import statistics
from collections import defaultdict

import pytest

from tests.search.conftest import STUDY, again, begin, drive, metrics, train
from tuner.errors import StudyFileError
from tuner.results import TrialState, best_of
from tuner.search import storage
from tuner.search.means import _averaged

GRID = STUDY.replace("alpha: {low: 0.05, high: 8.0, log: true}", "alpha: {any: [0.1, 0.2, 0.5, 1, 2, 8]}").replace(
    "      cutmix: {probability: {low: 0.25, high: 1.0, step: 0.25}}\n", ""
)
FIFO = "scheduler={name: fifo}"


def records(search):
    return storage.records(search.study)


def alpha(trial):
    return trial.params.get("mixing.ratio.alpha", 0)


def by_alpha(trials):
    groups = defaultdict(list)
    for one in trials:
        groups[alpha(one)].append(one)
    return groups


def lucky(assignment, epoch):
    """Alpha 1 is best by the mean, alpha 8 by its first seed."""
    own = assignment.config["mixing"].get("ratio", {}).get("alpha", 0)
    luck = {0: 0.2, 1: -0.15, 2: -0.15}[assignment.seed] if own == 8 else 0.0
    return (0.7 + (0.05 if own == 1 else 0.0) + luck) * (1 - 0.5**epoch)


def test_a_grid_is_gone_through_once_for_each_seed(load):
    search = begin(load("search={sampler: grid, trials: 21, seeds: 3}", FIFO, text=GRID))
    assert search.trials_wanted == 21
    done = drive(search, lucky)
    assert [one.seed for one in done] == [0] * 7 + [1] * 7 + [2] * 7
    assert {len(group) for group in by_alpha(records(search)).values()} == {3}
    assert search.finished
    assert not search.wants_more()


def test_baselines_have_all_seeds_and_stay_baselines(load):
    search = begin(load("search={trials: 12, seeds: 3, baselines: literature}"))
    drive(search, lambda a, e: 0.5)
    given = [one for one in records(search) if one.baseline]
    assert [one.params["mixing.name"] for one in given] == ["none", "mixup", "cutmix"] * 3
    assert [one.seed for one in given] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "gp"])
def test_a_configuration_is_trained_on_all_seeds_before_another_is_drawn(load, sampler):
    search = begin(load(f"search={{sampler: {sampler}, trials: 17, seeds: 3}}", FIFO))
    drive(search, lambda a, e: 0.5 + 0.01 * a.seed)
    found = records(search)
    assert len(found) == search.trials_wanted == 15  # 17 would leave the last configuration with two
    assert [one.seed for one in found] == [0, 1, 2] * 5
    assert len({str(one.config) for one in found}) == 5


def test_an_evolution_strategy_counts_a_configuration_once(load):
    ratio = "{name: beta, alpha: {low: 0.1, high: 8.0}, scale: {low: 0.5, high: 1.0}}"
    text = f"{STUDY[: STUDY.index('    choice:')]}    name: mixup\n    ratio: {ratio}\nconfirm: {{seeds: 0}}\n"
    search = begin(load("search={sampler: cmaes, trials: 30, seeds: 2}", FIFO, text=text))
    drive(search, lambda a, e: 0.5 + 0.01 * a.config["mixing"].get("ratio", {}).get("alpha", 0))
    found = records(search)
    assert [one.seed for one in found] == [0, 1] * 15
    assert len({str(one.config) for one in found}) == 15


def test_who_is_best_is_told_by_the_mean(load):
    search = begin(load("search={sampler: grid, trials: 21, seeds: 3}", FIFO, text=GRID))
    drive(search, lucky)
    found = records(search)
    assert alpha(max(found, key=lambda one: one.curve[-1])) == 8
    assert alpha(best_of(found, maximise=True)) == 1


def test_the_sampler_sees_each_configuration_once_with_its_mean(load):
    search = begin(load("search={trials: 12, seeds: 3}", FIFO))
    drive(search, lambda a, e: 0.01 * a.number + 0.1 * a.seed)
    trials = search.study.get_trials(deepcopy=False)
    seen = _averaged(trials)
    assert len(seen) == 4
    assert [one.value for one in seen] == [statistics.fmean(t.value for t in trials[i : i + 3]) for i in (0, 3, 6, 9)]


@pytest.mark.parametrize("killed_after", range(1, 60, 8))
@pytest.mark.parametrize("slots", [1, 2])
def test_a_killed_study_goes_on_as_if_it_had_not_been(load, monkeypatch, tmp_path, killed_after, slots):
    loaded = load("search={trials: 15, seeds: 3}", "scheduler={grace_epochs: 1, strata: none}")
    undisturbed = begin(loaded)
    expected = run(undisturbed, slots, 10**6)
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "killed"))
    run(begin(loaded), slots, killed_after)
    found = run(again(loaded), slots, 10**6)
    assert slots > 1 or found == expected  # with two at a time, who is first at a rung depends on when it was killed
    assert len(found) == len(expected)
    assert {one.state for one in records(again(loaded))} == {TrialState.COMPLETE, TrialState.PRUNED}
    states = defaultdict(list)
    for one in records(again(loaded)):
        states[str(one.config)].append((one.state, one.epochs))
    assert all(len(group) == 3 and len(set(group)) == 1 for group in states.values())


def shaped(number, seed, epoch):
    return (0.5 + 0.03 * (number // 3 * 7 % 5) + 0.01 * seed) * (1 - 0.5**epoch)


def run(search, slots, upto):
    """Drive with so many trials at a time, an epoch of each in turn; return all that is stored."""
    search.slots = slots
    running, reports = {}, 0
    while reports < upto:
        while len(running) < slots and (assignment := search.ask()) is not None:
            running[assignment.number] = [assignment.seed, assignment.epochs]
        if not running:
            break
        for number, state in list(running.items()):
            state[1] += 1
            reports += 1
            if search.report(number, metrics(state[1], shaped(number, state[0], state[1]))):
                del running[number]
    return [(r.params, r.seed, r.curve, r.state, r.cause) for r in records(search)]


TWO = "search={sampler: grid, trials: 21, seeds: 3}"
ASHA = "scheduler={grace_epochs: 3, reduction: 3, strata: none}"


def test_a_rung_compares_means_and_stops_or_lets_pass_all_seeds_alike(load):
    search = begin(load(TWO, ASHA, text=GRID))
    drive(search, lucky)
    groups = by_alpha(records(search))
    assert {one.state for one in groups[8]} == {TrialState.PRUNED}  # its first seed was the best of all
    assert {one.epochs for one in groups[8]} == {3}
    assert {one.state for one in groups[1]} == {TrialState.COMPLETE}
    assert all(len({one.state for one in group}) == 1 for group in groups.values())
    assert "mean of 3 seeds" in groups[8][0].cause


def test_a_trial_waits_at_its_rung_for_its_other_seeds(load):
    search = begin(load("search={trials: 6, seeds: 3}", ASHA))
    for _ in range(3):
        train(search, search.ask(), lambda a, e: 0.9)  # no mixing waits for nobody
    first = search.ask()
    assert first.pausing_epochs == (3,)
    assert train(search, first, lambda a, e: 0.95) == 3
    waiting = records(search)[3]
    assert waiting.state is TrialState.RUNNING
    assert waiting.cause == "paused at epoch 3: it waits for the others of its 3 seeds"
    train(search, search.ask(), lambda a, e: 0.95)
    assert train(search, search.ask(), lambda a, e: 0.95) == 9  # the last one there need not wait
    assert search.ask().epochs == 3


def test_the_seeds_that_are_left_decide_where_one_fails(load):
    search = begin(load("search={trials: 6, seeds: 3}", ASHA))
    for _ in range(3):
        train(search, search.ask(), lambda a, e: 0.9)
    for _ in range(2):
        train(search, search.ask(), lambda a, e: 0.1)
    search.fail(search.ask().number, "it broke")
    assert search.ask() is None
    found = records(search)[3:]
    assert [one.state for one in found] == [TrialState.PRUNED, TrialState.PRUNED, TrialState.FAILED]
    assert search.finished


def test_with_promotion_all_seeds_go_on_together(load):
    search = begin(load(TWO, "scheduler={grace_epochs: 3, reduction: 3, strata: none, promote: true}", text=GRID))
    drive(search, lucky)
    groups = by_alpha(records(search))
    assert all(len({one.epochs for one in group}) == 1 for group in groups.values())
    assert {one.state for one in records(search)} <= {TrialState.COMPLETE, TrialState.PRUNED}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("{seeds: 3, repeats: 2}", "leave out repeats or seeds"),
        ("{seeds: 3, trials: 2}", "set trials to 3 or more"),
        ("{seeds: 3, trials: 20, sampler: grid}", "7 points of 3 seeds each, 21 trials"),
    ],
)
def test_what_cannot_be_is_said_at_once(load, settings, said):
    with pytest.raises(StudyFileError, match=said):
        load(f"search={settings}", text=GRID)
