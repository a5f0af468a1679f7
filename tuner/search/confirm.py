"""The confirmation: a search's finalists trained again on fresh seeds beside no mixing, scored once on the test split.

It is driven as a search is (`Search`, Ray Tune, a lease, checkpoints), with `Seeds` in the sampler's place, and stored
beside it, so it resumes as a search does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import optuna

from tuner.datasets import Examples, Split
from tuner.errors import ServiceError, StudyFailed, UsageError
from tuner.imported import in_words
from tuner.results import StudyState
from tuner.search import causes, recommendation, storage, turn
from tuner.search.checkpoints import KeptCheckpoints
from tuner.search.confirmation_record import ConfirmationRecord
from tuner.search.observer import Observer
from tuner.search.running import Running, carry_out, taken_over
from tuner.search.search import RETRIED, Search
from tuner.search.seeds import Seeds, fresh_seeds, trainings
from tuner.selection.finalists import Candidate
from tuner.spec import StudySpec
from tuner.spec.study import Limits, Scheduler


@dataclass(frozen=True)
class ConfirmationBegun:
    """What is known when a confirmation begins: who is trained, on which seeds, and how many trainings are over."""

    candidates: tuple[Candidate, ...]
    seeds: tuple[int, ...]
    trainings: int
    done: int


def require_confirmable(spec: StudySpec, study: optuna.Study) -> None:
    """Check that a study's search has what a confirmation trains.

    Raises:
        UsageError: seeds are turned off, or no trial ran to its end.
    """
    if not spec.confirm.seeds:
        raise UsageError(f"study {spec.name} has confirm.seeds: 0; say how many: --set confirm.seeds=5")
    if not storage.has_complete(study):
        raise UsageError(
            f"no trial of study {spec.name} has run to its end, so there is nothing to confirm; go on with it first: "
            f"tuner resume {spec.name}"
        )


def drive(running: Running, observe: Callable[[ConfirmationBegun], Sequence[Observer]]) -> tuple[str, ...]:
    """Train what is missing of a study's confirmation, with Ray connected; return what people should know.

    How it stands is kept with the trainings; the state of the search stays what it was.

    Raises:
        UsageError: the test split cannot be opened.
    """
    spec, study, lease = running.spec, running.study, running.lease
    _require_test_split(running.split)
    confirming = storage.confirmation(study)
    if "planned" not in confirming.user_attrs:
        confirming.set_user_attr("planned", spec.confirm.seeds)
    candidates = recommendation.candidates_of(spec, study)
    draws = _draws(spec, study, confirming)
    over = len(trainings(confirming))
    observers = observe(ConfirmationBegun(candidates, fresh_seeds(spec), draws.trials_wanted, over))
    record = ConfirmationRecord(spec, study, confirming, candidates)
    storage.set_state(confirming, state=StudyState.RUNNING.value, recorded=False)
    first = fresh_seeds(spec)[0]
    maximise = spec.objective.mode == "max"
    known = storage.records(confirming)
    kept = KeptCheckpoints(confirming.study_name, known, maximise, keeps=lambda one: one.seed == first)
    search = Search(
        replace(spec, scheduler=Scheduler(name="fifo"), limits=_without_budget(spec.limits)),
        confirming,
        running.slots,
        [record, kept, *observers],
        is_ours=lease.holds,
        draws=draws,
    )
    search.share, search.measuring = running.share, partial(turn.measuring, lease)
    try:
        carry_out(search, trained_on(running.split, spec), record.abandon, scores_test=True)
    except ServiceError:
        raise
    except BaseException:
        _finish(running, search, record)
        raise
    return *search.warnings, *_finish(running, search, record)


def _finish(running: Running, search: Search, record: ConfirmationRecord) -> tuple[str, ...]:
    """Store how the confirmation stands and close its record; return what people should know."""
    spec, study, confirming = running.spec, running.study, search.study
    if not running.lease.holds():
        record.abandon()
        raise StudyFailed(taken_over(spec.name))
    search.interrupt("interrupted")
    state = StudyState.COMPLETED if search.finished else StudyState.INTERRUPTED
    said: list[str] = []
    if search.too_many_failures():
        state = StudyState.FAILED
        said = [
            f"the confirmation's trainings failed: {causes.commonest(storage.records(confirming))}; when that is "
            f"mended, tuner confirm {spec.name} trains them again"
        ]
    own = StudyState(study.user_attrs["state"])
    lacking = record.close(recommendation.of(spec, study, confirming), state if own is StudyState.COMPLETED else own)
    storage.set_state(confirming, state=state.value, recorded=not lacking)
    return *said, *lacking


def retry_failed(confirming: optuna.Study) -> None:
    """Give every training that failed another chance; what it scored is then not known yet."""
    failed = [one.number for one in trainings(confirming) if one.state is optuna.trial.TrialState.FAIL]
    if failed:
        confirming.set_user_attr(RETRIED, [*confirming.user_attrs.get(RETRIED, ()), *failed])


def _require_test_split(split: Split) -> None:
    try:
        split.load_test()
    except Exception as error:  # the loader may be anybody's own code
        raise UsageError(
            f"the test split of {split.name}, by which fresh seeds are scored, cannot be opened: {in_words(error)}"
        ) from error


def is_wanted(spec: StudySpec, study: optuna.Study) -> bool:
    """Tell whether trainings of a study's confirmation are missing; its search is over."""
    if not spec.confirm.seeds:
        return False
    confirming = storage.confirmation_if_begun(study)
    if confirming is None:
        return storage.has_complete(study)
    return not confirming.user_attrs.get("recorded", True) or not _draws(spec, study, confirming).race().is_over


def trained_on(split: Split, spec: StudySpec) -> Split:
    """Return what the confirmation trains on: the training examples, with those of validation where the file says so.

    The validation metrics of each epoch are then those of images that it trained on; only the test split counts.
    """
    if spec.confirm.train_on == "train":
        return split
    parts = split.training, split.validation
    images = np.concatenate([one.images for one in parts])
    labels = np.concatenate([one.labels for one in parts])
    return replace(split, training=Examples(images, labels))


def _draws(spec: StudySpec, study: optuna.Study, confirming: optuna.Study) -> Seeds:
    candidates = recommendation.candidates_of(spec, study)
    return Seeds(confirming, candidates, fresh_seeds(spec), spec.objective.metric, spec.objective.mode == "max")


def _without_budget(limits: Limits) -> Limits:
    """Return a study's limits without what bounds the search alone."""
    return limits.model_copy(update={"hours": None, "epochs": None})
