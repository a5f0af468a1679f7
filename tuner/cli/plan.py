"""`tuner plan`: what a study will cost, by trying one trial here or on the cluster."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tuner import spec
from tuner.cli import output
from tuner.errors import UsageError
from tuner.search.estimate import Plan, Work
from tuner.search.plan import plan as planned
from tuner.search.probing import Measured

_MIB, _GIB = 2**20, 2**30


def plan(source: str, overrides: Sequence[str], as_json: bool) -> int:
    """Print what a study will cost, and return the exit code: 2 where none of its trials could ever run."""
    loaded = spec.load(source, overrides)
    with output.others_on_stderr():
        found = planned(loaded, _say)
    if output.wants_json(as_json):
        output.print_json({**found.as_json(), "warnings": [*loaded.warnings, *found.warnings]})
    else:
        output.print_tables(*lines(found), *(f"warning: {one}" for one in (*loaded.warnings, *found.warnings)))
    return UsageError.exit_code if found.never else 0


def lines(found: Plan) -> list[str]:
    """Return a plan as people read it."""
    where = f"{found.nodes} node{'' if found.nodes == 1 else 's'} with {found.cpus:g} CPUs and {found.gpus:g} GPUs"
    if found.never:
        return [f"{found.study} would never run on {where}: {found.never}"]
    told = [f"{found.study} on {where}: an estimate, from a trial that was tried for some steps"]
    told.append(f"  at a time     {found.places} trials of {found.trial_cpus} CPUs and {found.trial_gpus:g} GPUs each")
    told += [f"                {note}" for note in found.notes]
    if found.unmixed is not None and (memory := found.memory) is not None:
        shared = f", beside {memory.shared_bytes / _MIB:.0f} MiB that all share" if memory.shared_bytes else ""
        context = f" and a CUDA context of {memory.context_bytes / _MIB:.0f}" if memory.context_bytes else ""
        told.append(f"  memory        {memory.peak_bytes / _MIB:.0f} MiB a trial{context}{shared}")
        told += _paces(found, found.unmixed, found.mixed)
    if found.search is not None:
        told.append(f"  search        {_work(found.search, 'trials')}")
    if found.confirmation is not None:
        told.append(f"  fresh seeds   {_work(found.confirmation, 'trainings')}")
    if found.search is not None:
        both = found.search.expected_hours + (found.confirmation.expected_hours if found.confirmation else 0)
        told.append(f"  in all        about {_duration(both)}")
    if found.disk is not None:
        most, free = found.disk.most_bytes, found.disk.free_bytes
        told.append(f"  disk          up to {_bytes(most)} of checkpoints and networks; {_bytes(free)} are free")
    told.append(
        "  Stopping is simulated: the scheduler's own rule over trials of random quality, seen with an error of half "
        "their spread."
    )
    return told


def _say(words: str) -> None:
    sys.stderr.write(f"{words or 'going on'}\n")


def _paces(found: Plan, unmixed: Measured, mixed: Measured | None) -> list[str]:
    plain = unmixed.paces[0]
    share = plain.evaluation_seconds / plain.epoch_seconds
    told = [
        f"  no mixing     {_seconds(plain.step_seconds)} a step, {_seconds(plain.epoch_seconds)} an epoch of "
        f"{plain.steps} steps, {share:.0%} of it evaluation"
    ]
    if mixed is None:
        return told
    again, *paces = mixed.paces
    for name, pace in sorted(zip(found.methods[1:], paces, strict=True), key=lambda one: one[1].step_seconds):
        slower = pace.step_seconds / again.step_seconds
        told.append(
            f"  {name:<13} {_seconds(pace.step_seconds)} a step, {_seconds(pace.epoch_seconds)} an epoch "
            f"({slower:.2f} times as long a step) where every batch is mixed"
        )
    return told


def _work(work: Work, what: str) -> str:
    if work.low == work.most:
        return f"{work.trials} {what}, {work.most} epochs: {_duration(work.expected_hours)}"
    if work.expected == work.most:
        more = f"{work.low} where policies are dropped early"
    else:
        more = f"{work.low} to {work.high}; {work.most} and {_duration(work.most_hours)} if nothing is stopped"
    return f"{work.trials} {what}, about {work.expected:.0f} epochs ({more}): {_duration(work.expected_hours)}"


def _duration(hours: float) -> str:
    if hours < 1 / 30:
        return f"{hours * 3600:.0f} seconds"
    return f"{hours * 60:.0f} minutes" if hours < 2 else f"{hours:.1f} hours"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _bytes(size: int) -> str:
    return f"{size / _MIB:.0f} MiB" if size < _GIB else f"{size / _GIB:.1f} GiB"
