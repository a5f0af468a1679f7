"""Drivers and workers killed at random moments: their study ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from tests.processes import tuner
from tests.search.killing import DIGITS, epochs, finished, victim, wait_for
from tests.search.whole import check_whole, undisturbed

pytestmark = [pytest.mark.ray, pytest.mark.heavy, pytest.mark.timeout(1500)]

ONE_WORKER = (
    "--json", "--set", "search.trials=12", "--set", "trial.training.epochs=9",
    "--set", "scheduler.grace_epochs=1", "--set", "resources.concurrent=1", "--set", "confirm.seeds=0",
)  # fmt: skip

LONG = (*DIGITS, "--set", "search.trials=36")
"""Long enough for twenty kills: a fast machine trains three or four epochs between two, where one was waited for."""


def drawn_seed() -> int:
    """Return KILL_SEED, which repeats the kinds of kills and the pauses of a run that failed, or any number."""
    return int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(10**6)))


def told(home: Path) -> list:
    """Return what has to be equal: configurations, seeds, curves and decisions, in order."""
    trials = json.loads(tuner(home, "trials", "digits", "--json")[1])
    return [(t["params"], t["seed"], t["curve"], t["state"], t["cause"]) for t in trials]


def test_a_study_whose_driver_is_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    code, _, err = tuner(whole, "run", "digits", *ONE_WORKER)
    assert code == 0, err
    with victim(killed, ONE_WORKER, drawn_seed()) as study:
        for _ in range(3):
            wanted = epochs(killed) + study.drawn.randint(1, 12)
            wait_for(lambda wanted=wanted: epochs(killed) >= wanted, study.driver)
            study.kill_driver(with_all=True)
        assert finished(study.driver)["state"] == "completed"
        assert told(killed) == told(whole)


def test_twenty_kills_of_drivers_and_workers_lose_nothing_and_double_nothing(tmp_path):
    with victim(tmp_path, LONG, drawn_seed()) as study:
        while study.kinds:  # 20 of them
            study.disturb()
        check_whole(tmp_path, finished(study.driver), undisturbed(LONG))
