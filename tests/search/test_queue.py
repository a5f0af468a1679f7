"""Who begins next on a cluster, and how the places are shared: decided from the claims alone."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tuner.search.queue import Claim, gives_way, may_begin, order, shares, waiting
from tuner.search.session import Node, room


def claim(
    since: float = 0.0,
    priority: int = 0,
    *,
    cpus: float = 1,
    gpus: float = 0,
    most: int = 0,
    runs: bool = False,
    measures: bool = False,
) -> Claim:
    return Claim("cluster", priority, since, cpus, gpus, most, runs, measures)


TWO = [Node(0, 0), Node(2, 0)]


def test_a_higher_priority_comes_first_and_then_who_is_older():
    claims = {"young": claim(3.0), "old": claim(1.0), "urgent": claim(9.0, priority=1), "patient": claim(0.0, -1)}
    assert order(claims) == ["urgent", "old", "young", "patient"]


def test_one_begins_for_each_trial_that_the_cluster_holds_and_nobody_overtakes():
    claims = {f"s{index}": claim(float(index)) for index in range(4)}
    begun = []
    while (ready := [name for name in waiting(claims) if may_begin(name, TWO, claims)]) != []:
        assert ready == waiting(claims)[:1]
        claims[ready[0]] = replace(claims[ready[0]], is_running=True)
        begun.append(ready[0])
    assert begun == ["s0", "s1"]
    claims["late"] = claim(99.0, priority=5)
    assert not may_begin("late", TWO, claims)  # those that run are let run
    del claims["s0"]
    assert [name for name in waiting(claims) if may_begin(name, TWO, claims)] == ["late"]


def test_a_study_that_waits_for_much_is_not_overtaken_by_those_that_want_little():
    claims = {"small": claim(runs=True), "large": claim(1.0, cpus=2), "tiny": claim(2.0)}
    assert not may_begin("large", TWO, claims)
    assert not may_begin("tiny", TWO, claims)


def test_one_whose_node_has_left_keeps_nobody_else_waiting():
    claims = {"lost": claim(0.0, gpus=1), "lost-too": claim(0.0, cpus=8, runs=True), "next": claim(1.0)}
    assert not may_begin("lost", TWO, claims)
    assert may_begin("next", TWO, claims)


def test_places_are_dealt_out_evenly_and_what_is_left_over_goes_to_the_first():
    claims = {"b": claim(2.0, runs=True), "a": claim(1.0, runs=True), "waits": claim(0.0)}
    assert shares([Node(3, 0), Node(2, 0)], claims) == {"a": 3, "b": 2}


def test_who_wants_few_leaves_the_rest_to_others():
    claims = {"few": claim(1.0, most=1, runs=True), "all": claim(2.0, runs=True)}
    assert shares([Node(5, 0)], claims) == {"few": 1, "all": 4}


def test_shares_of_gpus_are_of_one_gpu_and_processors_count_too():
    halves = claim(1.0, gpus=0.5, runs=True)
    assert shares([Node(8, 2)], {"halves": halves}) == {"halves": 4}
    assert shares([Node(3, 2)], {"halves": halves}) == {"halves": 3}
    assert shares([Node(8, 2)], {"halves": halves, "whole": claim(2.0, gpus=1, runs=True)}) == {"halves": 2, "whole": 1}
    assert shares([Node(8, 1)], {"alone": claim(gpus=2, runs=True)}) == {"alone": 1}  # it waits for its node


def test_one_that_measures_begins_beside_a_share_of_the_only_gpu_and_those_that_have_it_give_way():
    nodes = [Node(8, 1)]
    claims = {"runs": claim(gpus=0.25, runs=True), "processors": claim(runs=True), "new": claim(gpus=1, measures=True)}
    assert may_begin("new", nodes, claims)
    assert not gives_way("runs", nodes, claims)  # not for one that waits
    claims["new"] = replace(claims["new"], is_running=True)
    assert [name for name in claims if gives_way(name, nodes, claims)] == ["runs"]
    assert not may_begin("third", nodes, claims | {"third": claim(gpus=0.25)})
    claims["new"] = replace(claims["new"], measures=False, gpus=0.5)
    assert not gives_way("runs", nodes, claims)


def test_one_that_measures_waits_for_a_gpu_that_others_have_whole_and_for_the_next_that_measures():
    for other in (claim(gpus=1, runs=True), claim(gpus=1, runs=True, measures=True)):
        claims = {"runs": other, "new": claim(gpus=1, measures=True)}
        assert not may_begin("new", [Node(8, 1)], claims)
        assert may_begin("new", [Node(8, 2)], claims)


def test_nobody_gives_way_for_a_gpu_whose_node_has_left():
    claims = {"runs": claim(gpus=0.5, runs=True), "new": claim(gpus=1, cpus=16, runs=True, measures=True)}
    assert not gives_way("runs", [Node(8, 1)], claims)


NODES = st.lists(st.builds(Node, st.integers(0, 8).map(float), st.integers(0, 2).map(float)), max_size=3)
ONE = st.builds(
    claim,
    st.floats(0, 9),
    st.integers(-1, 1),
    cpus=st.integers(1, 3),
    gpus=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    most=st.integers(0, 3),
    runs=st.booleans(),
)
CLAIMS = st.dictionaries(st.sampled_from("abcdef"), ONE)


@given(NODES, CLAIMS)
def test_no_more_is_dealt_than_there_is_and_everybody_who_runs_has_a_place(nodes, claims):
    dealt = shares(nodes, claims)
    assert set(dealt) == {name for name, one in claims.items() if one.is_running}
    for name, count in dealt.items():
        one = claims[name]
        assert 1 <= count <= max(1, room(nodes, one.cpus, one.gpus, "auto"))
        assert not one.most or count <= one.most
    more_than_the_least = {name: count for name, count in dealt.items() if count > 1}
    assert sum(claims[name].cpus * count for name, count in more_than_the_least.items()) <= sum(n.cpus for n in nodes)


@given(NODES, CLAIMS)
def test_whoever_may_begin_is_the_first_that_a_node_could_hold(nodes, claims):
    ready = [name for name in waiting(claims) if may_begin(name, nodes, claims)]
    possible = [name for name in waiting(claims) if room(nodes, claims[name].cpus, claims[name].gpus, "auto")]
    assert ready in ([], possible[:1])
