"""Passes a search's events on to MLflow's background writer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import optuna

from tuner.datasets import Split
from tuner.results import EpochMetrics, StudyResult, TrialRecord, TrialState, averaged, best_of, seeds_of
from tuner.search.moments import ended_ms, epochs_ms, started_ms
from tuner.search.safety import judged
from tuner.search.storage import history, is_started, record
from tuner.search.strata import stratum
from tuner.space import leaves
from tuner.spec import StudySpec
from tuner.tracking import DatasetInput, Tracking, TrackingReport, shared_view

_LIST_EVERY = 100
"""After so many trials the list that `tracking.elsewhere` reads is written anew; what ended since is read by run."""


class Recording:
    """An observer that records trials, epochs and causes, and the study around them.

    `trials` are those that a resumed study has already, `tags` say what it runs with (`tracking.environment`).
    """

    def __init__(
        self,
        tracking: Tracking,
        spec: StudySpec,
        trials: Sequence[TrialRecord] = (),
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._tracking = tracking
        self._spec = spec
        self._maximise = spec.objective.mode == "max"
        self._ended = {trial.number: trial for trial in trials if trial.state is not TrialState.RUNNING}
        tracking.study_started(
            spec.name,
            description=f"Search for the mixing augmentation that suits {spec.name}; each child run is a trial.",
            params={"objective.metric": spec.objective.metric, "search.trials": spec.search.trials, "seed": spec.seed},
            tags=tags,
            study_file=spec.source,
            view=shared_view(spec.objective.metric, self._maximise, leaves(spec.trial)),
        )

    def data_read(self, data: DatasetInput) -> None:
        """Say which images the study trains and validates on (`data_of`)."""
        self._tracking.dataset(data)

    def trial_started(self, trial: TrialRecord) -> None:
        """Open the trial's run."""
        self._trial_started(trial)

    def epoch_reported(self, trial: TrialRecord, metrics: EpochMetrics) -> None:
        """Record the epoch's metrics."""
        self._tracking.epoch(trial.number, metrics)

    def trial_ended(self, trial: TrialRecord) -> None:
        """Close the trial's run with its cause, and say how far the study has come."""
        self._tracking.trial_ended(trial.number, trial.state, trial.cause, curve=trial.curve)
        if trial.state is not TrialState.RUNNING:
            self._ended[trial.number] = trial
            self._tracking.progress(len(self._ended), self._progress(list(self._ended.values())))
            if len(self._ended) % _LIST_EVERY == 0:
                self._tracking.trials_listed([self._ended[number] for number in sorted(self._ended)])

    def noted(self, words: str) -> None:
        """Do nothing: it is over soon."""

    def repeat(self, study: optuna.Study) -> None:
        """Tell MLflow again of every trial, as of when it was: what it has already is not written twice.

        Runs that were left running, of which the study knows nothing, end here.
        """
        told = [frozen for frozen in study.get_trials(deepcopy=False) if is_started(frozen)]
        for frozen in told:
            trial = record(frozen, {})
            self._trial_started(trial, started_ms(frozen))
            for metrics, at_ms in zip(history(frozen), epochs_ms(frozen), strict=True):
                self._tracking.epoch(trial.number, metrics, at_ms)
            ended = ended_ms(frozen)
            self._tracking.trial_ended(trial.number, trial.state, trial.cause, curve=trial.curve, at_ms=ended)
        over = sorted((one for one in told if one.state.is_finished()), key=ended_ms)
        so_far: list[TrialRecord] = []
        for frozen in over:
            so_far.append(record(frozen, {}))
            self._tracking.progress(len(so_far), self._progress(so_far), ended_ms(frozen))
        self._tracking.orphans_ended()

    def run_ids(self) -> dict[int, str]:
        """Return the runs written so far, by trial number."""
        return self._tracking.run_ids()

    def close(self, result: StudyResult, timeout_seconds: float) -> TrackingReport:
        """Close the study's run with its result, and wait until all is written, at most `timeout_seconds`."""
        metric = self._spec.objective.metric
        summary: dict[str, float | int | str] = {"seconds": result.seconds, "epochs_trained": result.epochs_trained}
        summary |= {f"trials_{state}": count for state, count in result.counts().items()}
        for name, trial in (("best", result.best), ("baseline", result.baseline)):
            if trial is not None and trial.curve:
                known = result.over_seeds(trial)
                value = trial.curve[-1] if known is None else known.mean
                summary |= {f"{name}_{metric}": value, f"{name}_trial": str(trial.number)}
                if known is not None and known.spread is not None:
                    summary |= {f"{name}_{metric}_spread": known.spread, f"{name}_seeds": len(known.trials)}
        seen = averaged(result.trials) if self._spec.search.seeds > 1 else result.trials
        stopping = judged(seen, self._spec.scheduler, self._spec.epochs, self._maximise)
        self._tracking.trials_listed(result.trials)
        self._tracking.study_ended(result.state, summary | (stopping.summary() if stopping else {}))
        return self._tracking.close(timeout_seconds)

    def abandon(self, timeout_seconds: float) -> None:
        """Stop writing, and leave the study's run to the driver that has it now."""
        self._tracking.abandon(timeout_seconds)

    def _trial_started(self, trial: TrialRecord, at_ms: int | None = None) -> None:
        stratum_of = stratum(trial.config, self._spec.scheduler.strata)
        tags = {"baseline": trial.baseline, "seed": trial.seed, "stratum": stratum_of}
        self._tracking.trial_started(trial.number, trial.params, tags, at_ms=at_ms)

    def _progress(self, ended: Sequence[TrialRecord]) -> dict[str, float]:
        """Return what a curve shows after each trial: how many are over, and the best that ran to the end."""
        best = seeds_of(best_of(ended, self._maximise), ended)
        return {"trials_ended": len(ended)} | ({} if best is None else {"best_so_far": best.mean})


def data_of(split: Split, digest: str) -> DatasetInput:
    """Return the examples that a study trains and validates on as MLflow shows them; `digest` is that of all."""
    channels, height, width = split.training.images.shape[1:]
    profile = {
        "training_examples": len(split.training),
        "validation_examples": len(split.validation),
        **({"classes": len(split.classes)} if split.classes else {"task": "regression"}),
        **(
            {"columns": len({one.column for one in split.features}), "features": channels}
            if split.features
            else {"image": f"{channels}x{height}x{width}"}
        ),
    }
    return DatasetInput(split.name, digest, f"tuner:{split.name}", profile=profile)
