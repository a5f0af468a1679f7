"""Who begins next on a cluster, and how many trials each study that runs may have at a time.

A study waits by priority, then by age, and whoever begins keeps at least one trial's place to its end. The places are
dealt out one at a time to each study that runs, so none starves beside a large one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tuner.search.session import Node

_SMALLEST_SHARE = 0.01
"""Of a GPU: no study lets more than a hundred trials share one."""


@dataclass(frozen=True)
class Claim:
    """What a study asks of the cluster at an address: `cpus` and `gpus` a trial, `most` trials at a time (0: all).

    `since` is when it was queued, in seconds since 1970; who is older comes first among those of one priority. One that
    `measures` waits for a whole GPU, to try a trial there for some minutes, and takes a share that it knows then.
    """

    cluster: str
    priority: int
    since: float
    cpus: float
    gpus: float
    most: int = 0
    is_running: bool = False
    measures: bool = False


Claims = Mapping[str, Claim]
"""The claims on one cluster, by study."""


Share = Callable[[Sequence[Node], int, float], int]
"""Returns how many trials a study may have at a time of the number that the nodes hold, each with so many GPUs; none
while it gives way to one that measures."""


def all_of_it(nodes: Sequence[Node], room: int, gpus: float) -> int:
    """Return the share of a study that is alone: what the nodes hold."""
    return room


def order(claims: Claims) -> list[str]:
    """Return the studies of some claims, the first to begin first."""
    return sorted(claims, key=lambda name: (-claims[name].priority, claims[name].since, name))


def waiting(claims: Claims) -> list[str]:
    """Return the studies that wait, the next to begin first."""
    return [name for name in order(claims) if not claims[name].is_running]


def may_begin(name: str, nodes: Sequence[Node], claims: Claims) -> bool:
    """Tell whether a study that waits may begin: nobody waits before it, and it fits beside one trial of each running.

    One that no node could hold now, even an empty one, keeps nobody else waiting: its node has left. One that measures
    has to fit with the smallest share: the others give way for the minutes in which it takes a whole GPU.
    """
    before = waiting(claims)[: waiting(claims).index(name)]
    if any(_fits(claims[one], nodes) for one in before):
        return False
    own = claims[name]
    own = replace(own, gpus=_SMALLEST_SHARE) if own.measures else own
    return _fits(own, nodes, beside=[one for one in claims.values() if one.is_running])


def gives_way(name: str, nodes: Sequence[Node], claims: Claims) -> bool:
    """Tell whether a study begins no trial on a GPU for now, because another waits for a whole one to measure on.

    Which GPU falls free cannot be chosen: new trials go where Ray puts them, and a study of many small ones would keep
    some on each for ever.
    """
    if name not in claims or not claims[name].gpus:
        return False
    others = (one for other, one in claims.items() if other != name and one.is_running and one.measures)
    return any(_fits(one, nodes) for one in others)


def shares(nodes: Sequence[Node], claims: Claims) -> dict[str, int]:
    """Return how many trials each study that runs may have at a time, at least one, by dealing the places out in turn.

    What is left over goes to those that would have begun first.
    """
    free = [_Free(node) for node in nodes]
    dealt = {name: 0 for name in order(claims) if claims[name].is_running}
    hungry = list(dealt)
    while hungry:
        hungry = [name for name in hungry if _wants_more(claims[name], dealt[name]) and _take(free, claims[name])]
        for name in hungry:
            dealt[name] += 1
    return {name: max(1, count) for name, count in dealt.items()}


class _Free:
    """What of a node is not dealt out yet; a share of a GPU is always one of a single GPU."""

    def __init__(self, node: Node) -> None:
        self.cpus = node.cpus
        self.gpus = [1.0] * int(node.gpus)

    def take(self, claim: Claim) -> bool:
        """Take one trial's part, and tell whether there was enough."""
        if self.cpus < claim.cpus:
            return False
        if claim.gpus >= 1:
            whole = [index for index, left in enumerate(self.gpus) if left == 1.0][: int(claim.gpus)]
            wanted, part = int(claim.gpus), 1.0
        else:
            whole = [index for index, left in enumerate(self.gpus) if left + 1e-9 >= claim.gpus > 0][:1]
            wanted, part = int(claim.gpus > 0), claim.gpus
        if len(whole) < wanted:
            return False
        self.cpus -= claim.cpus
        for index in whole:
            self.gpus[index] -= part
        return True


def _wants_more(claim: Claim, has: int) -> bool:
    return not claim.most or has < claim.most


def _take(free: Sequence[_Free], claim: Claim) -> bool:
    return any(node.take(claim) for node in free)


def _fits(claim: Claim, nodes: Sequence[Node], beside: Sequence[Claim] = ()) -> bool:
    """Tell whether the nodes hold a trial beside one each of others, of which those that want most are placed first."""
    free = [_Free(node) for node in nodes]
    for one in sorted(beside, key=lambda one: (-one.gpus, -one.cpus)):
        _take(free, one)
    return _take(free, claim)
