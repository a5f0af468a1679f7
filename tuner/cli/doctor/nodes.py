"""What is wrong with a cluster's nodes, by what each of them found of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tuner.cli.doctor.found import GIB, Check
from tuner.cli.doctor.machine import LEAST_DISK_GIB, LEAST_FILES, LEAST_SHARED_MEMORY_GIB, SHARED_MEMORY_ADVICE
from tuner.home import home
from tuner.search.node_facts import NodeFacts, Versions

MOST_SECONDS_APART = 5.0
"""Leases and waiting times are told by the clock of whoever writes them."""


def checks(nodes: Sequence[NodeFacts], ours: Versions, folders: Sequence[str]) -> list[Check]:
    """Return what was found of a cluster's nodes; `ours` are the driver's versions, `folders` what they should have."""
    answered = [node for node in nodes if not node.error]
    return [
        _answers(nodes),
        _same_versions(answered, ours),
        _clocks(answered),
        _shared_home(answered),
        _least(answered, "disk on nodes", LEAST_DISK_GIB, "free disk there", _least_disk),
        _least(answered, "shared memory on nodes", LEAST_SHARED_MEMORY_GIB, SHARED_MEMORY_ADVICE, _shared_memory),
        _files(answered),
        _gpus(answered),
        *([_folders(answered, folders)] if folders else []),
    ]


def compared(ours: Versions, theirs: Versions) -> Check:
    """Compare the versions of a client with those of a cluster."""
    said = ", ".join(f"{name} {value}" for name, value in vars(theirs).items())
    if (ours.tuner, _minor(ours.ray)) != (theirs.tuner, _minor(theirs.ray)):
        here = ", ".join(f"{name} {value}" for name, value in vars(ours).items())
        advice = (
            f"pip install mixup-tuner=={theirs.tuner} 'ray=={theirs.ray}' here, or bring the cluster's image up to date"
        )
        return Check("versions", False, f"the cluster has {said}; here is {here}", advice)
    if _minor(ours.python) != _minor(theirs.python):
        advice = "code of your own that travels has to run on the cluster's Python"
        return Check("versions", None, f"the cluster has {said}; here is Python {ours.python}", advice)
    return Check("versions", True, f"{said}, as here")


def _answers(nodes: Sequence[NodeFacts]) -> Check:
    silent = [f"{node.host} ({node.error})" for node in nodes if node.error]
    if silent or not nodes:
        advice = "see Ray's logs there (/tmp/ray/session_latest/logs), and that the tuner is installed on every node"
        return Check("nodes", False, f"{', '.join(silent) or 'none'} of {len(nodes)} did not answer", advice)
    return Check("nodes", True, f"{len(nodes)} answer: {', '.join(node.host for node in nodes)}")


def _same_versions(nodes: Sequence[NodeFacts], ours: Versions) -> Check:
    others = {
        node.host: node.versions
        for node in nodes
        if node.versions is not None
        and (node.versions.tuner, node.versions.ray, _minor(node.versions.python))
        != (ours.tuner, ours.ray, _minor(ours.python))
    }
    wanted = ", ".join(f"{name} {value}" for name, value in vars(ours).items())
    if others:
        said = "; ".join(f"{host}: {', '.join(vars(one).values())}" for host, one in others.items())
        return Check("versions on nodes", False, f"the driver has {wanted}; {said}", "use one image on every node")
    return Check("versions on nodes", True, f"{wanted} everywhere")


def _clocks(nodes: Sequence[NodeFacts]) -> Check:
    apart = [node for node in nodes if abs(node.ahead_seconds) - node.give_or_take_seconds > MOST_SECONDS_APART]
    if apart:
        said = ", ".join(f"{node.host} by {node.ahead_seconds:+.0f} seconds" for node in apart)
        return Check(
            "clocks", False, f"apart from the driver's: {said}", "run chrony or systemd-timesyncd on every node"
        )
    most = max((abs(node.ahead_seconds) + node.give_or_take_seconds for node in nodes), default=0.0)
    return Check("clocks", True, f"within {most:.1f} seconds of each other")


def _shared_home(nodes: Sequence[NodeFacts]) -> Check:
    wrong = [f"{node.host} cannot write {node.written}" for node in nodes if node.written]
    if wrong:
        advice = "mount TUNER_HOME on every node with the same owner, and set it to the same path everywhere"
        return Check("home on nodes", False, "; ".join(wrong), advice)
    blind = [node.host for node in nodes if node.sees < len(nodes)]
    if blind:
        advice = "checkpoints have to be seen by every node: mount one shared folder as TUNER_HOME on all of them"
        return Check("home on nodes", False, f"{home()} is not the same folder on {', '.join(blind)}", advice)
    return Check("home on nodes", True, f"{home()} is written and seen by every node")


def _least(
    nodes: Sequence[NodeFacts], name: str, least: float, advice: str, size: Callable[[NodeFacts], float | None]
) -> Check:
    known = {node.host: gib for node in nodes if (gib := size(node)) is not None}
    small = {host: gib for host, gib in known.items() if gib < least}
    if small:
        said = ", ".join(f"{host} {gib:.1f} GiB" for host, gib in small.items())
        return Check(name, False, said, f"at least {least:g} GiB: {advice}")
    return Check(name, True, f"{min(known.values(), default=0.0):.1f} GiB or more")


def _least_disk(node: NodeFacts) -> float:
    return min(node.home_free_bytes, node.scratch_free_bytes) / GIB


def _shared_memory(node: NodeFacts) -> float | None:
    return None if node.shared_memory_bytes is None else node.shared_memory_bytes / GIB


def _files(nodes: Sequence[NodeFacts]) -> Check:
    few = [f"{node.host} {node.most_files}" for node in nodes if node.most_files < LEAST_FILES]
    if few:
        advice = f"allow {LEAST_FILES} or more: LimitNOFILE=, ulimits in compose.yaml, or ulimit -n before `ray start`"
        return Check("open files on nodes", False, ", ".join(few), advice)
    return Check("open files on nodes", True, f"{LEAST_FILES} or more everywhere")


def _gpus(nodes: Sequence[NodeFacts]) -> Check:
    wrong = [
        f"{node.host} has {node.gpus} for Ray, {node.usable_gpus} for torch ({node.gpu_words})"
        for node in nodes
        if node.usable_gpus < node.gpus
    ]
    if wrong:
        advice = "install the torch that fits the driver there, or start Ray with --num-gpus=0"
        return Check("gpus on nodes", False, "; ".join(wrong), advice)
    total = sum(node.gpus for node in nodes)
    return Check("gpus on nodes", True if total else None, f"{total}, and torch can use them" if total else "none")


def _folders(nodes: Sequence[NodeFacts], folders: Sequence[str]) -> Check:
    lacking = [f"{node.host}: {one}" for node in nodes for one in folders if one not in node.folders]
    if lacking:
        return Check(
            "data on nodes", False, f"not there on {'; '.join(lacking)}", "mount the data at this path on every node"
        )
    return Check("data on nodes", True, f"{', '.join(folders)} on every node")


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]
