"""The records that travel between the parts, as plain frozen values: epochs, trials, seeds together, studies."""

from tuner.results.records import (
    CLASSIFIED,
    OBJECTIVES,
    REGRESSED,
    EpochMetrics,
    StudyState,
    TrialRecord,
    TrialState,
    flatten,
)
from tuner.results.seeds import OverSeeds, averaged, best_of, over_seeds, seeds_of, unmixed_baseline
from tuner.results.study import StudyResult

__all__ = [
    "CLASSIFIED",
    "OBJECTIVES",
    "REGRESSED",
    "EpochMetrics",
    "OverSeeds",
    "StudyResult",
    "StudyState",
    "TrialRecord",
    "TrialState",
    "averaged",
    "best_of",
    "flatten",
    "over_seeds",
    "seeds_of",
    "unmixed_baseline",
]
