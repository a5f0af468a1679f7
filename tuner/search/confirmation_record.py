"""Passes a confirmation's trainings on to MLflow: each is a run under that of the trial it repeats."""

from __future__ import annotations

from collections.abc import Sequence

import optuna

from tuner.results import EpochMetrics, StudyState, TrialRecord, TrialState
from tuner.search.moments import ended_ms, epochs_ms, started_ms
from tuner.search.seeds import scores_on_test, training_of, trainings
from tuner.search.storage import history, record
from tuner.selection.finalists import Candidate
from tuner.selection.recommend import Recommendation
from tuner.selection.second_axes import LARGER_IS_BETTER
from tuner.spec import StudySpec
from tuner.tracking import Tracking, destination, spool_folder

_FLUSH_SECONDS = 60.0
_HURRIED_FLUSH_SECONDS = 2.0


class ConfirmationRecord:
    """An observer of the trainings, which also closes the study's run with the verdict."""

    def __init__(
        self, spec: StudySpec, study: optuna.Study, confirming: optuna.Study, candidates: Sequence[Candidate]
    ) -> None:
        self._spec = spec
        self._confirming = confirming
        self._candidates = {one.key: one for one in candidates}
        identity, folder = str(study.user_attrs["id"]), spool_folder(spec.name)
        self._tracking = Tracking(destination(), identity, kind="confirmation", spool=folder)
        self._tracking.study_started(spec.name)
        if not confirming.user_attrs.get("recorded", True):
            self._repeat()

    def trial_started(self, trial: TrialRecord) -> None:
        """Open the training's run."""
        self._trial_started(trial)

    def epoch_reported(self, trial: TrialRecord, metrics: EpochMetrics) -> None:
        """Record the epoch's metrics."""
        self._tracking.epoch(trial.number, metrics)

    def trial_ended(self, trial: TrialRecord) -> None:
        """Close the training's run with what it scored on the test split."""
        self._trial_ended(trial)

    def noted(self, words: str) -> None:
        """Do nothing: what a study waits for is over when somebody reads its record."""

    def abandon(self) -> None:
        """Stop writing; the study's run is left to who goes on with it."""
        self._tracking.abandon(_HURRIED_FLUSH_SECONDS)

    def close(self, recommendation: Recommendation, state: StudyState) -> list[str]:
        """Close the study's run with the verdict, and return what MLflow could not take."""
        effect = recommendation.effect
        numbers = {"effect": effect.estimate, "effect_low": effect.low, "effect_high": effect.high}
        summary = {"verdict": recommendation.verdict.value, "verdict_reasons": "\n".join(recommendation.reasons)}
        known = {name: value for name, value in numbers.items() if value is not None}
        self._tracking.study_ended(state, {**summary, **known})
        report = self._tracking.close(_FLUSH_SECONDS)
        if not report.unwritten:
            return []
        return [
            f"MLflow lacks {report.unwritten} records of this study ({report.error}); when it answers again, "
            f"`tuner sync {self._spec.name}` sends what is missing"
        ]

    def _repeat(self) -> None:
        """Tell MLflow again of every training, as of when it was: what it has already is not written twice."""
        for frozen in trainings(self._confirming):
            trial = record(frozen, {})
            self._trial_started(trial, started_ms(frozen))
            for metrics, at_ms in zip(history(frozen), epochs_ms(frozen), strict=True):
                self._tracking.epoch(trial.number, metrics, at_ms)
            self._trial_ended(trial, ended_ms(frozen))
        self._tracking.orphans_ended()

    def _trial_started(self, trial: TrialRecord, at_ms: int | None = None) -> None:
        key, seed = training_of(self._frozen(trial))
        candidate = self._candidates.get(key)
        tags = {"candidate": key, "seed": seed, "origin": candidate.origin if candidate else "no longer a finalist"}
        name = f"{candidate.name}, seed {seed}" if candidate else ""
        parent = candidate.trial if candidate else None
        self._tracking.trial_started(trial.number, trial.params, tags, name=name, parent=parent, at_ms=at_ms)

    def _trial_ended(self, trial: TrialRecord, at_ms: int | None = None) -> None:
        scored = scores_on_test(self._frozen(trial)) if trial.state is TrialState.COMPLETE else {}
        tested = {f"test_{name}": float(scored[name]) for name in LARGER_IS_BETTER if name in scored}
        self._tracking.trial_ended(trial.number, trial.state, trial.cause, tested, at_ms=at_ms)

    def _frozen(self, trial: TrialRecord) -> optuna.trial.FrozenTrial:
        return self._confirming.get_trials(deepcopy=False)[trial.number]
