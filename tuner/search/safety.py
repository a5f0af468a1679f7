"""Whether early stopping was safe: what each rung would have made of the trials that ran to the end.

Most of those went on because they looked good at the rungs; what slow starts hide, only trials that are never stopped
can show. So it rests on baselines above all, and with few finished trials it says that it cannot tell.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import optuna
from scipy.stats import kendalltau

from tuner.results import TrialRecord, TrialState, averaged, best_of
from tuner.search.asha import Asha
from tuner.search.strata import Strata, stratum
from tuner.spec.study import Scheduler

ENOUGH = 6
"""Trials that must have run to the end for a word about safety."""

_ENOUGH_TO_WARN = 3
_MOST_WRONG = 0.25


@dataclass(frozen=True)
class Rung:
    """What the rung after `epoch` would have made of the `finished` trials, had it judged them by all it saw.

    `stopped` of them fell short of it; `wrong` of those ended better than one of their stratum that it kept, or best
    of all, by more than `margin`: half the standard deviation of the final values, as less may be a seed's luck.
    `regret` is what the study's best final value would have lost, none where no finished trial was kept.
    `tau` is Kendall's between the values at the rung and at the end, over the `pairs` of finished trials in one
    stratum, none where there are no pairs.
    """

    epoch: int
    finished: int
    stopped: int
    wrong: int
    stops_best: bool
    margin: float
    regret: float | None
    tau: float | None
    pairs: int

    @property
    def wrong_share(self) -> float:
        """Return the share of finished trials that the rung would have stopped wrongly."""
        return self.wrong / self.finished if self.finished else 0.0

    @property
    def is_safe(self) -> bool:
        """Tell whether the rung would have lost nothing that matters, and stopped few wrongly."""
        return not self.loses_best and self.wrong_share <= _MOST_WRONG

    @property
    def loses_best(self) -> bool:
        """Tell whether the rung would have stopped the best trial and kept none that is nearly as good."""
        return self.stops_best and (self.regret is None or self.regret > self.margin)


@dataclass(frozen=True)
class Safety:
    """What is known of a study's early stopping; `never_stopped` of the finished trials were baselines.

    `is_safe` is None where it cannot be told. `grace_epochs` is the shortest grace period that would have been safe,
    where the study's own was not; it is the full budget where none was.
    """

    finished: int
    never_stopped: int
    rungs: tuple[Rung, ...]
    is_safe: bool | None
    grace_epochs: int | None
    words: str

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        rungs = [{**asdict(rung), "wrong_share": rung.wrong_share, "is_safe": rung.is_safe} for rung in self.rungs]
        return {**asdict(self), "rungs": rungs}

    def summary(self) -> dict[str, float | str]:
        """Return it as MLflow keeps it: numbers for each rung, and the words."""
        numbers: dict[str, float | str] = {"stopping": self.words}
        for rung in self.rungs:
            numbers[f"rung_{rung.epoch}_wrong_share"] = rung.wrong_share
            known = {"regret": rung.regret, "tau": rung.tau}
            numbers |= {f"rung_{rung.epoch}_{name}": value for name, value in known.items() if value is not None}
        return numbers


def safety(trials: Sequence[TrialRecord], asha: Asha, strata: Strata) -> Safety:
    """Return how safely a study's rungs stopped trials, as far as its finished trials can tell."""
    of = {trial.number: stratum(trial.config, strata) for trial in trials}
    finished = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    rungs = tuple(_rung(trials, of, asha, epoch) for epoch in asha.rungs)
    never_stopped = sum(trial.baseline for trial in finished)
    if not rungs:
        return Safety(len(finished), never_stopped, (), True, None, "no rung stops trials within their budget")
    best = best_of(finished, asha.maximise)
    # Few cannot show that stopping was safe. One that was never at risk, and best in the end, can show that it was not.
    is_shown = best is not None and best.baseline and any(rung.loses_best for rung in rungs)
    if len(finished) < (_ENOUGH_TO_WARN if is_shown else ENOUGH):
        words = f"{_count(len(finished))} ran to the end: too few to tell whether stopping was safe ({ENOUGH} can)"
        return Safety(len(finished), never_stopped, rungs, None, None, words)
    unsafe = [rung for rung in rungs if not rung.is_safe]
    basis = f"by {_count(len(finished))} that ran to the end, {never_stopped} of them never at risk"
    if not unsafe:
        return Safety(len(finished), never_stopped, rungs, True, None, f"stopping looks safe, {basis}")
    grace = _better_grace(trials, of, asha)
    words = f"stopping was not safe, {basis}: {'; '.join(map(_complaint, unsafe))}; {_advice(grace, asha.epochs)}"
    return Safety(len(finished), never_stopped, rungs, False, grace, words)


def stopping(study: optuna.Study, trials: Sequence[TrialRecord]) -> Safety | None:
    """Return how safely a stored study stopped its trials; None where it stops none, or did not say by which rule."""
    kept = study.user_attrs.get("scheduler")
    if kept is None:
        return None
    maximise = study.direction is optuna.study.StudyDirection.MAXIMIZE
    seen = averaged(trials) if kept.get("seeds", 1) > 1 else trials
    return judged(seen, Scheduler.model_validate(kept["settings"]), int(kept["epochs"]), maximise)


def judged(trials: Sequence[TrialRecord], scheduler: Scheduler, epochs: int, maximise: bool) -> Safety | None:
    """Return how safely a scheduler stopped these trials; None where it stops none.

    Of configurations that are trained on several seeds the rungs see the `averaged`.
    """
    if scheduler.name == "fifo":
        return None
    return safety(trials, Asha(epochs, scheduler.grace_epochs, scheduler.reduction, maximise), scheduler.strata)


def _rung(trials: Sequence[TrialRecord], of: Mapping[int, str], asha: Asha, epoch: int) -> Rung:
    """Return what the rule makes of the finished trials at an epoch, among all that were trained so long."""
    sign = 1 if asha.maximise else -1
    seen: dict[str, list[float]] = defaultdict(list)
    for trial in trials:
        if trial.epochs >= epoch:
            seen[of[trial.number]].append(trial.curve[epoch - 1])
    bars = {name: asha.threshold(values) for name, values in seen.items()}
    finished = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    kept = [one for one in finished if sign * one.curve[epoch - 1] >= sign * bars[of[one.number]]]
    stopped = [one for one in finished if one not in kept]
    best, best_kept = best_of(finished, asha.maximise), best_of(kept, asha.maximise)
    finals = [one.curve[-1] for one in finished]
    margin = statistics.stdev(finals) / 2 if len(finals) > 1 else 0.0
    regret = sign * (best.curve[-1] - best_kept.curve[-1]) if best and best_kept else None
    found = Rung(
        epoch, len(finished), len(stopped), 0, best in stopped, margin, regret, *_agreement(finished, of, epoch)
    )
    wrong = [
        one for one in stopped if (one is best and found.loses_best) or _is_better_than_any(one, kept, of, sign, margin)
    ]
    return replace(found, wrong=len(wrong))


def _is_better_than_any(
    trial: TrialRecord, kept: Sequence[TrialRecord], of: Mapping[int, str], sign: int, margin: float
) -> bool:
    alike = [one for one in kept if of[one.number] == of[trial.number]]
    return any(sign * (trial.curve[-1] - one.curve[-1]) > margin for one in alike)


def _agreement(finished: Sequence[TrialRecord], of: Mapping[int, str], epoch: int) -> tuple[float | None, int]:
    """Return Kendall's tau within strata, each weighed by its pairs, and their number; equal values tell nothing."""
    groups: dict[str, list[TrialRecord]] = defaultdict(list)
    for trial in finished:
        groups[of[trial.number]].append(trial)
    total, pairs = 0.0, 0
    for group in groups.values():
        then, finally_ = [one.curve[epoch - 1] for one in group], [one.curve[-1] for one in group]
        if len(set(then)) > 1 and len(set(finally_)) > 1:
            count = len(list(combinations(group, 2)))
            total, pairs = total + count * float(kendalltau(then, finally_).statistic), pairs + count
    return (total / pairs if pairs else None), pairs


def _better_grace(trials: Sequence[TrialRecord], of: Mapping[int, str], asha: Asha) -> int:
    """Return the first epoch from which this rung and all after it would have been safe, or the full budget."""
    for epoch in range(asha.grace_epochs + 1, asha.epochs):
        later = Asha(asha.epochs, epoch, asha.reduction, asha.maximise).rungs
        if all(_rung(trials, of, asha, rung).is_safe for rung in later):
            return epoch
    return asha.epochs


def _complaint(rung: Rung) -> str:
    what = "the best trial" if rung.loses_best else f"{rung.wrong} of {rung.finished} wrongly"
    return f"epoch {rung.epoch} would have stopped {what}"


def _advice(grace: int, epochs: int) -> str:
    if grace < epochs:
        return f"set scheduler.grace_epochs: {grace}"
    return "no grace period would have been; use scheduler.name: fifo"


def _count(trials: int) -> str:
    return f"{trials} trial{'' if trials == 1 else 's'}"
