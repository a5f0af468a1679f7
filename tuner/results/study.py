"""How a study ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuner.results.records import StudyState, TrialRecord, TrialState
from tuner.results.seeds import OverSeeds, seeds_of


@dataclass(frozen=True)
class StudyResult:
    """How a study ended: its trials, the best of those that ran to the end, and the no-mixing baseline.

    Trials that were stopped early never count as best: their last value is not that of a whole training.
    `recommendation` is what fresh seeds made of it (DESIGN.md, section 4), none before they were trained. `network` is
    the file of the best trial's trained network, for `tuner.trial.load_network`; None where there is none.
    """

    study: str
    state: StudyState
    trials: tuple[TrialRecord, ...]
    best: TrialRecord | None
    baseline: TrialRecord | None
    seconds: float
    tracking: Mapping[str, str | None] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    recommendation: Mapping[str, Any] | None = None
    network: str | None = None

    @property
    def epochs_trained(self) -> int:
        """Return the epochs of all trials."""
        return sum(trial.epochs for trial in self.trials)

    def over_seeds(self, trial: TrialRecord | None) -> OverSeeds | None:
        """Return all of the trial's seeds that ran to the end; None where none did."""
        return seeds_of(trial, self.trials)

    def counts(self) -> dict[str, int]:
        """Return how many trials are complete, pruned and failed."""
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAILED)
        return {state.value: sum(trial.state is state for trial in self.trials) for state in states}

    def as_json(self) -> dict[str, Any]:
        """Return the result in the form that scripts rely on (DESIGN.md, section 4)."""
        return {
            "study": self.study,
            "state": self.state.value,
            "trials": self.counts(),
            "best": self._as_json(self.best),
            "baseline": self._as_json(self.baseline),
            "network": self.network,
            "seconds": round(self.seconds, 3),
            "epochs_trained": self.epochs_trained,
            "tracking": dict(self.tracking),
            "warnings": list(self.warnings),
            "recommendation": None if self.recommendation is None else dict(self.recommendation),
        }

    def _as_json(self, trial: TrialRecord | None) -> dict[str, Any] | None:
        if trial is None:
            return None
        known = self.over_seeds(trial)
        return trial.as_json() | {"over_seeds": None if known is None else known.as_json()}
