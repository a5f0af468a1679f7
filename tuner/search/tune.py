"""Ray Tune drives a search: the one place where Tune is put together.

Imported after `session` has connected: Ray reads its settings when it is imported.
"""

from __future__ import annotations

import os
import shutil

from ray import tune
from ray.exceptions import RayError
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig, TuneError

from tuner.datasets import Split
from tuner.errors import StudyFailed, TunerError
from tuner.home import study_directory
from tuner.search.adapters import SearchScheduler, SearchSearcher, SilenceWatch
from tuner.search.search import Search
from tuner.search.worker import TrialActor


def drive(search: Search, split: Split) -> None:
    """Run a search's trials until it is finished or the user interrupts.

    Raises:
        StudyFailed: Ray Tune itself broke; what is stored is kept.
        ServiceError: the storage is out of reach.
    """
    # By default Tune starts one process at a time for a searcher of one's own, and hands its trial to any process that
    # falls idle meanwhile: short trials would all run in the first one.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(search.slots)
    resources = search.spec.resources
    scratch = study_directory(search.spec.name) / "ray"
    trainable = tune.with_resources(
        tune.with_parameters(TrialActor, split=split),
        {"cpu": resources.cpus, **({"gpu": resources.gpus} if resources.gpus else {})},
    )
    tuner = tune.Tuner(
        trainable,
        tune_config=TuneConfig(
            search_alg=SearchSearcher(search), scheduler=SearchScheduler(search), num_samples=-1, reuse_actors=True
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


def _own(error: BaseException | None) -> TunerError | None:
    """Return the error of ours that Tune wrapped, some in its own words and only as what they came after."""
    while error is not None and not isinstance(error, TunerError):
        error = error.__cause__ or error.__context__
    return error
