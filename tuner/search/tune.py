"""Ray Tune drives a search: the one place where Tune is put together.

Imported after `session` has connected: Ray reads its settings when it is imported.
"""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace

from ray import tune
from ray.exceptions import RayError
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig, TuneError

from tuner.datasets import Examples, Split
from tuner.errors import StudyFailed, TunerError
from tuner.home import study_directory
from tuner.search import checkpoints, session, sharing
from tuner.search.adapters import SearchScheduler, SearchSearcher, SilenceWatch, asked_of_ray
from tuner.search.probing import Waiting
from tuner.search.search import Search
from tuner.search.sharing import Shared
from tuner.search.worker import TrialActor


def drive(search: Search, split: Split, *, scores_test: bool = False, shared: Shared | None = None) -> None:
    """Run a search's trials until it is finished or the user interrupts; a confirmation's score the test split.

    `shared` says how trials share GPUs; by default `resources.gpus: auto` is settled by trying one.

    Raises:
        StudyFailed: Ray Tune itself broke; what is stored is kept.
        ServiceError: the storage is out of reach.
    """
    memory_bytes = _settle(search, split, shared)
    # By default Tune starts one process at a time for a searcher of one's own, and hands its trial to any process that
    # falls idle meanwhile: short trials would all run in the first one.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(search.slots)
    resources = search.spec.resources
    scratch = study_directory(search.spec.name) / "ray"
    trainable = tune.with_resources(
        tune.with_parameters(
            TrialActor,
            split=split if scores_test else for_trials(split),
            scores_test=scores_test,
            checkpoint_bytes=_budget(search),
            memory_bytes=memory_bytes,
        ),
        asked_of_ray(resources.cpus, resources.gpus_known),
    )
    tuner = tune.Tuner(
        trainable,
        tune_config=TuneConfig(
            search_alg=SearchSearcher(search),
            scheduler=SearchScheduler(search, packs=memory_bytes is not None),
            num_samples=-1,
            reuse_actors=True,
        ),
        run_config=RunConfig(
            name="tune",
            storage_path=str(scratch),
            verbose=0,
            callbacks=[SilenceWatch(search)],
            failure_config=FailureConfig(max_failures=0),  # the search hands lost trials out again
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),  # the trials write their own
        ),
    )
    interrupted_by = signal.getsignal(signal.SIGINT)
    try:
        tuner.fit()
    except (RayError, TuneError) as error:
        own = _own(error)
        if own is not None:
            raise own from None
        name = search.spec.name
        raise StudyFailed(f"Ray Tune broke off: {error}; go on with: tuner resume {name}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        # Ray (2.60, tune.py) leaves its own handler behind, which nobody listens to any more.
        signal.signal(signal.SIGINT, interrupted_by)


def for_trials(split: Split) -> Split:
    """Return a split as trials get it: without the test split, whose loader a process may not even be able to take."""
    return replace(split, load_test=_shut)


def _settle(search: Search, split: Split, shared: Shared | None) -> int | None:
    """Let a search's trials share GPUs; return what each may take of its GPU's memory, where that was measured.

    Raises:
        UsageError: the GPUs cannot be used.
        StudyFailed: the trial that was tried broke.
    """
    nodes = session.nodes()
    if shared is None:
        if search.spec.resources.gpus != "auto":
            return None
        search.note("measuring a trial, for resources.gpus: auto")
        shared = sharing.settled(search.spec, split, nodes, Waiting(search.note, search.measuring))
        search.note(shared.warning or shared.words)
        search.note("")
        search.warnings += [shared.warning] if shared.warning else []
    search.spec = shared.spec
    resources = shared.spec.resources
    fits = session.slots(nodes, resources.cpus, resources.gpus_known, resources.concurrent)
    search.slots = max(1, search.share(nodes, fits, resources.gpus_known))
    return shared.memory_bytes


def _budget(search: Search) -> int | None:
    gigabytes = search.spec.limits.checkpoint_gigabytes
    return None if gigabytes is None else int(gigabytes * checkpoints.GIGABYTE)


def _shut() -> Examples:
    raise RuntimeError("the test split stays shut while trials are searched for")


def _own(error: BaseException | None) -> TunerError | None:
    """Return the error of ours that Tune wrapped, some in its own words and only as what they came after."""
    while error is not None and not isinstance(error, TunerError):
        error = error.__cause__ or error.__context__
    return error
