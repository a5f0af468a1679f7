"""How many trials fit, and what never fits."""

from __future__ import annotations

import pytest

from tuner.errors import UsageError
from tuner.search.session import Node, slots


@pytest.mark.parametrize(
    ("nodes", "cpus", "gpus", "concurrent", "expected"),
    [
        ([Node(2, 0)], 1, 0, "auto", 2),
        ([Node(2, 0), Node(3, 0)], 2, 0, "auto", 2),
        ([Node(16, 8)], 1, 0.333, "auto", 16),
        ([Node(64, 8)], 1, 0.5, "auto", 16),
        ([Node(64, 8)], 1, 2, "auto", 4),
        ([Node(8, 0)], 1, 0, 3, 3),
        ([Node(2, 0)], 1, 0, 5, 2),
    ],
)
def test_as_many_trials_as_fit(nodes, cpus, gpus, concurrent, expected):
    assert slots(nodes, cpus, gpus, concurrent) == expected


@pytest.mark.parametrize(("cpus", "gpus"), [(4, 0), (1, 1), (1, 2)])
def test_what_no_node_can_hold_is_refused_with_the_largest_that_fits(cpus, gpus):
    with pytest.raises(UsageError, match=r"largest that fits is resources.cpus: 2, resources.gpus: 0"):
        slots([Node(2, 0), Node(1, 0)], cpus, gpus, "auto")
