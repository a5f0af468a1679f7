"""A plan's numbers, from paces that are given: what follows from them, and what people are warned of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tuner import spec, trial
from tuner.search import check, probing, sharing
from tuner.search.estimate import Plan, Tried, estimated
from tuner.search.probing import Measured
from tuner.search.session import Node
from tuner.trial import Memory, Pace

GIB = 2**30
PACE = Pace(0.1, 20, 0.5, 0.2, 4 * 10**6, 10**6)
"""An epoch of two seconds and a half."""


def planned(*overrides: str, places: int = 2, memory: Memory | None = None, node: Node | None = None) -> Plan:
    """Plan the digits, whose mixing takes twice as long a step."""
    study = spec.load("digits", ["scheduler.name=fifo", *overrides])
    split = check.load(study)
    tried = probing.subjects(study, split)
    pace = replace(PACE, steps=-(-len(split.training) // 64))
    used = memory or Memory(GIB, 0, GIB // 4, 16 * GIB)
    slow = replace(pace, step_seconds=0.2)
    unmixed = Measured((pace,), used, "cpu")
    mixed = Measured((pace, *[slow] * (len(tried.mixed) - 1)), used, "cpu")
    nodes = (node or Node(2, 0, 16 * GIB),)
    return estimated(Tried(sharing.Shared(study), split, nodes, places, tried, unmixed, mixed), study.search.trials)


def test_what_is_tried_is_no_mixing_and_every_method_on_every_batch():
    study = spec.load("mixing_family")
    tried = probing.subjects(study, check.load(study))
    names = [one["mixing"]["name"] for one in tried.mixed]
    assert names[0] == "none"
    assert {"mixup", "cutmix", "puzzlemix", "comixup"} <= set(names)
    assert len(names) == len(set(names))
    assert all(one["mixing"].get("probability", 1.0) == 1.0 for one in tried.mixed)
    assert all(one["mixing"]["name"] == "none" for one in tried.unmixed)


def test_a_space_of_networks_is_tried_at_the_largest_and_the_smallest():
    widths = "trial.model.channels={any: [[8, 8], [64, 64]]}"
    study = spec.load("digits", [widths])
    tried = probing.subjects(study, check.load(study))
    assert [one["model"]["channels"] for one in tried.unmixed] == [(64, 64), (8, 8)]
    assert tried.work[0] > 10 * tried.work[1]


def test_hours_follow_from_epochs_seconds_and_places():
    one, two = planned(places=1), planned(places=2)
    assert one.search.most == one.search.expected == 810
    seconds = 810 * one.epoch_seconds
    assert seconds < one.search.expected_hours * 3600 < 1.1 * seconds + 30
    assert one.search.expected_hours / 2.1 < two.search.expected_hours < one.search.expected_hours / 1.8


def test_an_epoch_mixes_as_often_as_the_space_does():
    steps = len(check.load(spec.load("digits")).training) / 64
    unmixed = PACE.step_seconds * steps + PACE.evaluation_seconds
    always = ("trial.mixing.choice.mixup.probability=1.0", "trial.mixing.choice.cutmix.probability=1.0")
    assert planned(*always).epoch_seconds == pytest.approx(unmixed + PACE.step_seconds * steps)
    assert 1.1 * unmixed < planned().epoch_seconds < planned(*always).epoch_seconds


def test_fresh_seeds_are_those_of_the_finalists_the_published_and_no_mixing():
    assert planned().confirmation.trials == (2 + 1 + 1) * 5
    assert planned("search.baselines=none").confirmation.trials == (2 + 1) * 5
    assert planned("confirm.seeds=0").confirmation is None
    assert planned().confirmation.low == (2 * 5 + 2 * 3) * 27


def test_disk_is_that_of_what_runs_at_a_time_and_of_what_waits():
    running, waiting = planned().disk, planned("scheduler.name=asha", "scheduler.promote=true").disk
    assert running.most_bytes == 2 * 2 * PACE.state_bytes + (1 + 2 + 4) * PACE.model_bytes
    assert waiting.most_bytes == running.most_bytes + 30 * PACE.state_bytes


@pytest.mark.parametrize(
    ("overrides", "more", "said"),
    [
        (["limits.hours=0.01"], {}, "limits.hours: 0.01 ends the search after about"),
        (["limits.epochs=100"], {}, "limits.epochs: 100 ends the search before its 810"),
        ([], {"memory": Memory(12 * GIB, 0, GIB, 16 * GIB)}, "set resources.concurrent: 1"),
        (
            ["resources.gpus=0.25"],
            {"memory": Memory(6 * GIB, GIB // 2, 0, 24 * GIB), "node": Node(8, 1, 64 * GIB)},
            "puts 26.0 GiB on a GPU of 24.0: set resources.gpus: auto",
        ),
    ],
)
def test_what_would_go_wrong_is_said(overrides, more, said):
    assert any(said in one for one in planned(*overrides, **more).warnings)
    assert planned().warnings == ()


def test_a_plan_is_plain_values():
    found = planned().as_json()
    assert found["methods"]["cutmix"]["step_seconds"] == 0.2
    assert found["memory"]["peak_bytes"] == GIB
    assert trial.Pace(**{key: value for key, value in found["methods"]["none"].items() if key != "epoch_seconds"})
