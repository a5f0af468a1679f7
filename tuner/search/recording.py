"""Passes a search's events on to MLflow's background writer."""

from __future__ import annotations

import optuna

from tuner.datasets import Split
from tuner.results import EpochMetrics, StudyResult, TrialRecord
from tuner.search.storage import history, is_started, record
from tuner.search.stored import judged
from tuner.search.strata import stratum
from tuner.spec import StudySpec
from tuner.tracking import DatasetInput, Tracking, TrackingReport

_OUT_OF_REACH_SECONDS = 5.0


class Recording:
    """An observer that records trials, epochs and causes, and the study around them."""

    def __init__(self, tracking: Tracking, spec: StudySpec) -> None:
        self._tracking = tracking
        self._spec = spec
        tracking.study_started(
            spec.name,
            description=f"Search for the mixing augmentation that suits {spec.name}; each child run is a trial.",
            params={"objective.metric": spec.objective.metric, "search.trials": spec.search.trials, "seed": spec.seed},
            study_file=spec.source,
        )

    def data_read(self, split: Split, digest: str) -> None:
        """Say which images the study trains and validates on; `digest` is that of all of them."""
        channels, height, width = split.training.images.shape[1:]
        profile = {
            "training_examples": len(split.training),
            "validation_examples": len(split.validation),
            "classes": len(split.classes),
            "image": f"{channels}x{height}x{width}",
        }
        self._tracking.dataset(DatasetInput(split.name, digest, f"tuner:{split.name}", profile=profile))

    def trial_started(self, trial: TrialRecord) -> None:
        """Open the trial's run."""
        tags = {"baseline": trial.baseline, "seed": trial.seed, "stratum": self._stratum(trial)}
        self._tracking.trial_started(trial.number, trial.params, tags)

    def epoch_reported(self, trial: TrialRecord, metrics: EpochMetrics) -> None:
        """Record the epoch's metrics."""
        self._tracking.epoch(trial.number, metrics)

    def trial_ended(self, trial: TrialRecord) -> None:
        """Close the trial's run with its cause."""
        self._tracking.trial_ended(trial.number, trial.state, trial.cause)

    def noted(self, words: str) -> None:
        """Do nothing: it is over soon."""

    def repeat(self, study: optuna.Study) -> None:
        """Tell MLflow again of every trial, whether it ended or goes on: what it has already is not written twice."""
        for frozen in study.get_trials(deepcopy=False):
            if is_started(frozen):
                trial = record(frozen, {})
                self.trial_started(trial)
                for metrics in history(frozen):
                    self.epoch_reported(trial, metrics)
                self.trial_ended(trial)

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
                summary |= {f"{name}_{metric}": trial.curve[-1], f"{name}_trial": str(trial.number)}
        stopping = judged(result.trials, self._spec.scheduler, self._spec.epochs, self._spec.objective.mode == "max")
        self._tracking.study_ended(result.state, summary | (stopping.summary() if stopping else {}))
        # Where MLflow did not answer during the whole study, there is little to wait for.
        return self._tracking.close(_OUT_OF_REACH_SECONDS if self._tracking.is_out_of_reach else timeout_seconds)

    def abandon(self, timeout_seconds: float) -> None:
        """Stop writing, and leave the study's run to the driver that has it now."""
        self._tracking.close(timeout_seconds)

    def _stratum(self, trial: TrialRecord) -> str:
        return stratum(trial.config, self._spec.scheduler.strata)
