"""ASHA: at each rung a trial goes on only among the best of its stratum; the others stop, or pause.

Own code where Ray's is wrong (reference: ray 2.60 async_hyperband.py): there NaN is never stopped, a report that
skips a milestone is recorded at one rung only, equal scores can stop everyone, rungs are lost on restart. Here
decisions are a pure function of the recorded history, so a study's rungs are rebuilt by replaying it.

Source: Li et al., A System for Massively Parallel Hyperparameter Tuning (arXiv 1810.05934), algorithm 2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Decision:
    """Whether a trial goes on; `threshold` is the value that it fell short of."""

    stop: bool
    threshold: float | None = None


@dataclass
class Asha:
    """Rungs at grace, grace x reduction, ... below the full budget; one set of rungs a stratum.

    At a rung a trial goes on when its value is at least as good as the best `1 / reduction` of all values recorded
    there so far, its own included. So the first always goes on, and ties never stop everyone.
    """

    epochs: int
    grace_epochs: int = 3
    reduction: int = 3
    maximise: bool = True
    _rungs: dict[tuple[str, int], dict[int, float]] = field(default_factory=lambda: defaultdict(dict), repr=False)

    def __post_init__(self) -> None:
        if self.reduction < 2:
            raise ValueError(f"reduction must be 2 or more, got {self.reduction}")
        if not 1 <= self.grace_epochs <= self.epochs:
            raise ValueError(f"grace_epochs must be 1 to the trial's {self.epochs} epochs, got {self.grace_epochs}")

    @property
    def rungs(self) -> tuple[int, ...]:
        """Return the epochs at which trials are compared."""
        rungs, epoch = [], self.grace_epochs
        while epoch < self.epochs:
            rungs.append(epoch)
            epoch *= self.reduction
        return tuple(rungs)

    def record(self, stratum: str, number: int, epoch: int, value: float) -> Decision:
        """Record a trial's finite value after `epoch` and decide; recording the same again changes nothing."""
        if epoch not in self.rungs:
            return Decision(stop=False)
        values = self._rungs[stratum, epoch]
        values.setdefault(number, value)
        threshold = self.threshold(values.values())
        return Decision(self._is_short(values[number], threshold), threshold)

    def promotable(self, paused: Mapping[int, tuple[str, int]]) -> int | None:
        """Return which paused trial goes on, of those that are now among the best of their rung; None where none is.

        `paused` says in which stratum and after which epoch each pauses. The furthest goes first, then the best.
        """
        sign = 1 if self.maximise else -1
        found = [
            (epoch, sign * self._rungs[stratum, epoch][number], -number)
            for number, (stratum, epoch) in paused.items()
            if not self._is_short(self._rungs[stratum, epoch][number], self.needed(stratum, epoch))
        ]
        return -max(found)[2] if found else None

    def needed(self, stratum: str, epoch: int) -> float:
        """Return the value that a trial must have at a rung, by what is recorded there now."""
        return self.threshold(self._rungs[stratum, epoch].values())

    def threshold(self, values: Collection[float]) -> float:
        """Return the value that a trial must reach among those recorded at a rung, its own included."""
        ranked = sorted(values, reverse=self.maximise)
        return ranked[max(1, len(ranked) // self.reduction) - 1]

    def _is_short(self, value: float, threshold: float) -> bool:
        return value < threshold if self.maximise else value > threshold
