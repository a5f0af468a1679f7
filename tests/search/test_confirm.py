"""A search's finalists on fresh seeds, without Ray: which trainings run, what is stored, what a restart finds."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.search.conftest import begin, drive, metrics, rising
from tuner.datasets import DATASETS
from tuner.errors import UsageError
from tuner.search import confirm, recommendation, storage, stored
from tuner.search.search import Search
from tuner.search.seeds import Seeds, fresh_seeds, scores, trainings
from tuner.spec.study import Scheduler

SEARCHED = "search.trials=9", "confirm={finalists: 2, seeds: 4}"


@pytest.fixture
def searched(load):
    """A study whose search is over: its settings and its storage."""

    def done(*overrides: str):
        search = begin(load(*SEARCHED, *overrides))
        drive(search, rising)
        return search.spec, search.study

    return done


def confirming(spec, study) -> Search:
    stored = storage.confirmation(study)
    candidates = recommendation.candidates_of(spec, study)
    draws = Seeds(stored, candidates, fresh_seeds(spec), spec.objective.metric, spec.objective.mode == "max")
    return Search(replace(spec, scheduler=Scheduler(name="fifo")), stored, 1, draws=draws)


def train(search: Search, assignment, accuracy: float) -> None:
    for epoch in range(assignment.epochs + 1, 10):
        if epoch == 9:
            search.scored(assignment.number, {"accuracy": accuracy, "nll": 1 - accuracy, "ece": 0.1})
        search.report(assignment.number, metrics(epoch, 0.5))


def worth(assignment) -> float:
    """Accuracy on the test split: no mixing is worth 0.8 and mixing 0.85; the seed moves both, and each a little."""
    mixed = assignment.config["mixing"]["name"] != "none"
    own = np.random.default_rng([assignment.seed, len(json.dumps(assignment.config))]).normal(0, 0.002)
    return 0.8 + 0.05 * mixed + 0.01 * (assignment.seed % 3) + float(own)


def confirm_all(search: Search, accuracy=worth) -> list:
    done = []
    while (assignment := search.ask()) is not None:
        train(search, assignment, accuracy(assignment))
        done.append(assignment)
    return done


def test_every_finalist_and_no_mixing_train_on_the_same_seeds_which_the_search_has_not_used(searched):
    spec, study = searched()
    done = confirm_all(confirming(spec, study))
    by_policy = {}
    for assignment in done:
        by_policy.setdefault(json.dumps(assignment.config["mixing"]), []).append(assignment.seed)
    assert len(by_policy) == 3
    assert set(map(tuple, by_policy.values())) == {(1000, 1001, 1002, 1003)}
    assert not {one.seed for one in storage.records(study)} & {1000, 1001, 1002, 1003}


def test_a_gain_that_every_seed_shows_is_recommended_with_its_interval(searched):
    spec, study = searched()
    confirm_all(confirming(spec, study))
    found = recommendation.read(spec.name)
    assert found.verdict == "use"
    assert found.policy["name"] in {"mixup", "cutmix"}
    assert found.effect.low > 0.03
    assert found.effect.low < 0.05 < found.effect.high


def test_before_any_fresh_seed_nothing_is_confirmed(searched):
    spec, _ = searched()
    found = recommendation.read(spec.name)
    assert found.verdict == "not_confirmed"
    assert found.policy["name"] == "none"


def test_a_finalist_that_is_clearly_beaten_gets_no_more_seeds(searched):
    spec, study = searched("confirm={finalists: 2, seeds: 8}")
    worst = recommendation.candidates_of(spec, study)[-1]

    def accuracy(assignment):
        return worth(assignment) - 0.3 * (dict(assignment.config) == worst.config)

    done = confirm_all(confirming(spec, study), accuracy)
    counts = Counter(json.dumps(a.config["mixing"]) for a in done)
    assert counts[json.dumps(worst.config["mixing"])] < 8
    assert sorted(counts.values())[1:] == [8, 8]


@pytest.mark.parametrize("killed_after", range(0, 12, 3))
def test_a_killed_confirmation_goes_on_with_what_is_missing(searched, killed_after):
    spec, study = searched()
    search = confirming(spec, study)
    for _ in range(killed_after):
        assignment = search.ask()
        train(search, assignment, worth(assignment))
    left = search.ask()  # handed out when the driver was killed
    resumed = confirming(spec, study)
    again = resumed.ask()
    assert (again.number, again.config, again.seed) == (left.number, left.config, left.seed)
    train(resumed, again, worth(again))
    confirm_all(resumed)
    found = Counter((one.user_attrs["candidate"], one.user_attrs["seed"]) for one in trainings(resumed.study))
    assert len(found) == 12
    assert set(found.values()) == {1}
    assert not confirm.is_wanted(spec, study)


def test_more_seeds_later_train_only_what_is_new(searched, load):
    spec, study = searched()
    confirm_all(confirming(spec, study))
    more = load(*SEARCHED, "confirm.seeds=5")
    assert confirm.is_wanted(more, study)
    assert [a.seed for a in confirm_all(confirming(more, study))] == [1004] * 3


def test_a_training_that_failed_is_said_and_not_counted(searched):
    spec, study = searched()
    search = confirming(spec, study)
    first = search.ask()
    train(search, first, worth(first))
    broken = search.ask()
    search.fail(broken.number, "ValueError: no")
    confirm_all(search)
    scored = scores(search.study, "val_accuracy")
    assert sorted(list(one.values()).count(None) for one in scored.values()) == [0, 0, 1]
    assert any("fail" in warning for warning in recommendation.read(spec.name).warnings)


def test_a_training_that_failed_gets_another_chance_when_asked_for(searched):
    spec, study = searched()
    search = confirming(spec, study)
    train(search, search.ask(), 0.9)
    search.fail(search.ask().number, "ValueError: no")
    confirm_all(search)
    assert not confirm.is_wanted(spec, study)
    confirm.retry_failed(search.study)
    assert confirm.is_wanted(spec, study)
    assert len(confirm_all(confirming(spec, study))) == 1
    scored = scores(search.study, "val_accuracy")
    assert all(None not in one.values() for one in scored.values())


def test_a_confirmation_that_only_failed_can_be_mended_and_goes_on(searched):
    spec, study = searched()
    search = confirming(spec, study)
    while (assignment := search.ask()) is not None:
        search.fail(assignment.number, "OSError: no test images")
    assert search.too_many_failures()
    confirm.retry_failed(search.study)
    again = confirming(spec, study)
    assert not again.too_many_failures()
    assert len(confirm_all(again)) == 12


def test_another_number_of_seeds_after_the_first_scores_is_said(searched, load):
    spec, study = searched()
    search = confirming(spec, study)
    search.study.set_user_attr("planned", spec.confirm.seeds)
    confirm_all(search)
    assert "confirm.seeds" not in str(recommendation.read(spec.name).warnings)
    study.set_user_attr("source", load(*SEARCHED, "confirm.seeds=5").source)
    assert "confirm.seeds was 4 when the first seeds were trained and is 5 now" in str(
        recommendation.read(spec.name).warnings
    )


@pytest.mark.parametrize(
    ("kept", "shown"), [("running", "interrupted"), ("failed", "failed"), ("completed", "completed")]
)
def test_a_study_is_done_when_its_confirmation_is(searched, kept, shown):
    spec, study = searched()
    study.set_user_attr("state", "completed")
    assert stored.stored(spec.name).state == "completed"
    storage.confirmation(study).set_user_attr("state", kept)
    assert stored.stored(spec.name).state == shown


def test_the_metric_decides_what_is_compared(searched):
    spec, study = searched("objective.metric=val_nll")
    confirm_all(confirming(spec, study))
    found = recommendation.read(spec.name)
    assert found.verdict == "use"
    assert 0.03 < found.effect.estimate < 0.07  # a loss that is lower is a gain


def test_the_confirmation_is_no_study_of_its_own(searched):
    spec, study = searched()
    confirm_all(confirming(spec, study))
    assert storage.names() == [spec.name]
    assert len(storage.records(study)) == 9


def test_validation_images_are_trained_on_where_the_file_says_so(load):
    spec = load("confirm.train_on=train_and_validation")
    split = DATASETS.build({"name": "digits", "train_examples": 100, "validation_examples": 50}, 0)
    trained = confirm.trained_on(split, spec)
    assert len(trained.training) == 150
    assert np.array_equal(trained.training.labels[100:], split.validation.labels)
    assert confirm.trained_on(split, load()) is split


def test_what_cannot_be_confirmed_is_refused_with_the_way_out(load):
    search = begin(load(*SEARCHED))
    with pytest.raises(UsageError, match="tuner resume simulated"):
        confirm.require_confirmable(search.spec, search.study)
    with pytest.raises(UsageError, match=r"confirm.seeds=5"):
        confirm.require_confirmable(load("confirm.seeds=0"), search.study)


def test_finalists_that_are_left_out_later_still_count_as_compared(searched, load):
    spec, study = searched("confirm={finalists: 2, seeds: 4}")
    confirm_all(confirming(spec, study))
    before = recommendation.of(spec, study, storage.confirmation(study))
    fewer = replace(spec, confirm=spec.confirm.model_copy(update={"finalists": 1}))
    after = recommendation.of(fewer, study, storage.confirmation(study))
    assert before.effect.comparisons == after.effect.comparisons == 2
    assert any("no finalist any more" in warning for warning in after.warnings)


def test_an_alpha_outside_of_what_the_curve_finds_good_has_no_interval_and_says_so(searched, monkeypatch):
    spec, study = searched()
    confirm_all(confirming(spec, study))
    used = recommendation.read(spec.name).used
    own = used.mixing["ratio"]["alpha"]
    for low, high, is_inside in ((own / 2, own * 2, True), (own * 2, own * 4, False)):
        curve = SimpleNamespace(
            method=used.method,
            distribution=used.mixing["ratio"]["name"],
            parameter="alpha",
            interval=(low, high),
            as_json=lambda low=low, high=high: {"interval": {"low": low, "high": high}},
        )
        monkeypatch.setattr(recommendation, "responses_of", lambda *_, curve=curve: (curve,))
        found = recommendation.read(spec.name)
        assert (found.alpha_interval is not None) == is_inside
        assert any("search and fresh seeds disagree" in warning for warning in found.warnings) != is_inside
