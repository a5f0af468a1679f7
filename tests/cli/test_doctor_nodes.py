"""What `tuner doctor` makes of what a cluster's nodes say of themselves; those here are altered copies of this one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tuner.cli.doctor import nodes
from tuner.cli.doctor.found import Check
from tuner.search import node_facts
from tuner.search.node_facts import NodeFacts, Versions

GIB = 2**30
OURS = node_facts.versions()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[NodeFacts, NodeFacts]:
    """Two nodes that are well and share a folder."""
    meeting = str(tmp_path / "meeting")
    first, second = (node_facts.here(meeting, name, ["/"]) for name in ("a", "b"))
    sees = node_facts.clock_and_files(meeting)[1]
    well = {"home_free_bytes": 50 * GIB, "scratch_free_bytes": 50 * GIB, "shared_memory_bytes": 8 * GIB, "sees": sees}
    return tuple(replace(one, host=host, most_files=65536, **well) for one, host in ((first, "one"), (second, "two")))


def found(pair, name: str, **altered: object) -> Check:
    """Return a check of two nodes of which the second is altered."""
    both = (pair[0], replace(pair[1], **altered))
    return next(one for one in nodes.checks(both, OURS, ["/"]) if one.name == name)


def test_nodes_that_are_well_pass_every_check(pair):
    assert all(one.ok is not False for one in nodes.checks(pair, OURS, ["/"]))
    assert len(nodes.checks(pair, OURS, ["/"])) == 9


@pytest.mark.parametrize(
    ("name", "altered", "advice"),
    [
        ("nodes", {"error": "no answer within 60 seconds"}, "installed on every node"),
        ("versions on nodes", {"versions": replace(OURS, tuner="0.0.1")}, "one image"),
        ("versions on nodes", {"versions": replace(OURS, ray="2.1.0")}, "one image"),
        ("clocks", {"ahead_seconds": 40.0, "give_or_take_seconds": 0.2}, "chrony"),
        ("clocks", {"ahead_seconds": -40.0, "give_or_take_seconds": 0.2}, "chrony"),
        ("home on nodes", {"written": "/home: Permission denied"}, "mount TUNER_HOME"),
        ("home on nodes", {"sees": 1}, "one shared folder"),
        ("disk on nodes", {"scratch_free_bytes": GIB}, "free disk"),
        ("shared memory on nodes", {"shared_memory_bytes": 64 * 2**20}, "--shm-size"),
        ("open files on nodes", {"most_files": 1024}, "LimitNOFILE"),
        ("gpus on nodes", {"gpus": 2, "usable_gpus": 1}, "fits the driver"),
        ("data on nodes", {"folders": ()}, "mount the data"),
    ],
)
def test_what_is_wrong_with_one_node_is_named_with_the_remedy(pair, name, altered, advice):
    assert found(pair, name).ok is not False
    wrong = found(pair, name, **altered)
    assert wrong.ok is False
    assert "two" in wrong.found
    assert "one" not in wrong.found.split()
    assert advice in wrong.advice


def test_a_clock_that_is_known_no_better_is_not_complained_of(pair):
    assert found(pair, "clocks", ahead_seconds=6.0, give_or_take_seconds=3.0).ok is True


def test_a_home_that_a_node_cannot_write_is_its_answer():
    assert node_facts.here("/proc/nowhere/meeting", "a", []).written.startswith("/proc/nowhere: ")


def test_facts_travel_as_plain_values(pair):
    assert node_facts.from_json(pair[0].as_json()) == pair[0]
    assert node_facts.from_json(NodeFacts("silent", error="no").as_json()) == NodeFacts("silent", error="no")


@pytest.mark.parametrize(
    ("theirs", "ok"),
    [
        (OURS, True),
        (replace(OURS, tuner="9.0"), False),
        (replace(OURS, ray="3.0.0"), False),
        (replace(OURS, python="3.99.1"), None),
        (Versions(OURS.python, f"{'.'.join(OURS.ray.split('.')[:2])}.99", OURS.tuner), True),
    ],
)
def test_a_client_of_other_versions_is_told_both(theirs, ok):
    """Faults, line 31."""
    check = nodes.compared(OURS, theirs)
    assert check.ok is ok
    assert theirs.tuner in check.found
    assert ok is not False or f"mixup-tuner=={theirs.tuner}" in check.advice
