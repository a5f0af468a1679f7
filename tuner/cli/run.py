"""`tuner run` and `tuner resume`: a study here, with its progress, and the answer at the end."""

from __future__ import annotations

import itertools
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tuner import spec
from tuner.cli import live, output, race, report, tables
from tuner.errors import ServiceError, UsageError
from tuner.home import study_directory, write_whole
from tuner.results import StudyState
from tuner.search import lease, storage, stored, study
from tuner.search.confirm import ConfirmationBegun
from tuner.search.observer import Observer
from tuner.search.running import Begun
from tuner.search.waiting import NotYet
from tuner.signals import as_interrupt
from tuner.tracking import destination, probe_artifacts

EXIT_CODES = {
    StudyState.COMPLETED: 0,
    StudyState.FAILED: 1,
    StudyState.OUT_OF_BUDGET: 4,
    StudyState.INTERRUPTED: 130,
}
_SMOKE = (
    "trial.training.epochs=2",
    "search.trials=4",
    "scheduler.grace_epochs=1",
    "confirm.finalists=1",
    "confirm.seeds=2",
)


def run(
    source: str,
    overrides: Sequence[str],
    *,
    smoke: bool,
    fork: bool,
    as_json: bool,
    or_resume: bool = False,
    priority: int | None = None,
) -> int:
    """Run a study file and return the exit code; with `or_resume` go on with the study of its name, if there is one."""
    loaded = spec.load(source, overrides)
    if or_resume and (fork or smoke):
        raise UsageError("--or-resume goes on with what there is, --fork and --smoke begin afresh: choose one")
    if or_resume and storage.exists(loaded.name):
        return _carry_out(loaded, as_json, resuming=True, priority=priority)
    if fork and smoke:
        raise UsageError("--smoke always starts afresh; leave --fork out")
    if fork:
        loaded = spec.load(source, [*overrides, f"name={_free_name(loaded.name)}"])
    if smoke:
        name = f"{loaded.name[:57]}-smoke"
        if storage.exists(name) and lease.is_driven(name):
            raise UsageError(f"{name} is running; wait for it")
        storage.delete(name)
        loaded = spec.load(source, [*overrides, *_SMOKE, f"name={name}"])
    return _carry_out(loaded, as_json, resuming=False, priority=priority)


def resume(name: str, overrides: Sequence[str], as_json: bool, priority: int | None = None) -> int:
    """Go on with a study and return the exit code."""
    loaded = spec.load(kept_file(name), overrides)
    if loaded.name != name:
        raise UsageError(f"study {name} keeps its name, read {loaded.name}; to begin another: tuner run FILE --fork")
    return _carry_out(loaded, as_json, resuming=True, priority=priority)


def kept_file(name: str) -> str:
    """Return the path of a stored study's file, which is written anew where only the database has it.

    Raises:
        UsageError: there is no such study.
    """
    kept = study_directory(name) / study.STUDY_FILE
    if not kept.is_file():
        source = _stored_source(name)
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, source)
    return str(kept)


def _stored_source(name: str) -> str:
    source = stored.source(name) if storage.exists(name) else None
    if source is None:
        raise UsageError(f"no study named {name} to go on with {storage.place()}; see `tuner ls`")
    return source


def _free_name(name: str) -> str:
    """Return the name, or NAME-2, NAME-3 ... if it is taken."""
    taken = set(storage.names())
    candidates = (f"{name[: 62 - len(str(number))]}-{number}" for number in itertools.count(2))
    return name if name not in taken else next(one for one in candidates if one not in taken)


def _carry_out(loaded: spec.StudySpec, as_json: bool, *, resuming: bool, priority: int | None) -> int:
    metric, mode = loaded.objective.metric, loaded.objective.mode
    progress = live.Progress(metric, mode == "max", loaded.search.trials, loaded.epochs)
    terminal = sys.stderr.isatty()
    for warning in loaded.warnings:
        sys.stderr.write(f"warning: {warning}\n")

    def begun(what: Begun) -> None:
        progress.begin(what.trials, what.ended)
        sys.stderr.write(f"study {loaded.name}: {what.slots} trials at a time; MLflow: {what.tracking_uri}\n")
        sys.stderr.writelines(f"{note}\n" for note in what.notes)
        if destination().is_server:  # beside the study: nothing that MLflow does or fails to do holds it up
            threading.Thread(target=_try_artifacts, name="tuner-artifacts", daemon=True).start()

    carry_out = study.resume if resuming else study.run
    with waiting_as("resume", as_json), interruptible(), output.others_on_stderr(), live.shown(progress):
        heard_by = [progress] if terminal else [live.Lines()]
        result = carry_out(loaded, heard_by, begun, observing(progress, loaded.epochs), priority=priority)
        page, complaints = report.after(result)
    if output.wants_json(as_json):
        output.print_json(result.as_json() | {"report": page})
    else:
        output.print_tables(*tables.summary(result, metric, mode == "max"))
        if page is not None:
            output.print_tables(f"report: {page}")
    for warning in (*result.warnings, *complaints):
        sys.stderr.write(f"warning: {warning}\n")
    if result.state in {StudyState.INTERRUPTED, StudyState.OUT_OF_BUDGET}:
        more = " --set limits...=MORE" if result.state is StudyState.OUT_OF_BUDGET else ""
        sys.stderr.write(f"to go on: tuner resume {result.study}{more}\n")
    return EXIT_CODES[result.state]


def _try_artifacts() -> None:
    """Say at the beginning, rather than hours later, that MLflow's server cannot keep files."""
    try:
        probe_artifacts(destination())
    except ServiceError as error:
        sys.stderr.write(f"warning: {error}; the study goes on, `tuner doctor` says more\n")


@contextmanager
def waiting_as(command: str, as_json: bool) -> Iterator[None]:
    """Where a study in the block has to wait for its turn on a cluster, wait, and go on by a command."""
    try:
        yield
    except NotYet as not_yet:
        not_yet.wait_as([command, not_yet.name, *(["--json"] if as_json else [])])


@contextmanager
def interruptible() -> Iterator[None]:
    """End a study by SIGTERM as by Ctrl-C while the block runs."""
    before = signal.signal(signal.SIGTERM, as_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def observing(progress: live.Progress, epochs: int) -> study.Observe:
    """Return what shows a confirmation once it begins: in the display, or where there is none, as lines."""

    def observe(begun: ConfirmationBegun) -> list[Observer]:
        if not sys.stderr.isatty():
            return [race.RaceLines(begun)]
        progress.then = race.RaceProgress(begun, epochs)
        return [progress.then]

    return observe
