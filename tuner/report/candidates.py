"""The candidates of a verdict as a table: what they gained on fresh seeds, or what the search saw before any."""

from __future__ import annotations

import statistics

from tuner.report import words
from tuner.report.document import Table
from tuner.selection.confirmed import Confirmed
from tuner.selection.recommend import Recommendation
from tuner.selection.statistics import usable
from tuner.selection.words import chance, gain, interval

_NOTE = (
    "Differences are paired by seed, plus is better. Means are over the seeds that a policy and no mixing both have; "
    "in brackets no mixing's. Intervals and p-values hold for all policies at once."
)
_NOTE_ON_DROPPED = " Who was clearly beaten got no more seeds, for being low on the first: its difference is too low."


def on_fresh_seeds(told: Recommendation, metric: str) -> Table:
    """Return every candidate with its mean and what that is against no mixing."""
    baseline, *others = told.candidates
    own = usable(baseline.scores, maximise=True)
    mean = words.metric(metric, statistics.fmean(own.values())) if own else ""
    first = (words.block(baseline.candidate.mixing), baseline.candidate.origin, _seeds(baseline, len(own)), mean)
    rows = [(*first, "", "", ""), *(_row(one, baseline, metric) for one in others)]
    header = ("policy", "why", "seeds", "mean", "against no mixing", "interval", "p")
    note = _NOTE + (_NOTE_ON_DROPPED if any(one.dropped for one in others) else "")
    return Table(header, tuple(rows), frozenset({2, 3, 4, 5, 6}), note)


def in_the_search(told: Recommendation, metric: str) -> Table:
    """Return every candidate with what it reached in the search, where nothing was trained on fresh seeds."""
    rows = [
        (
            words.block(one.candidate.mixing),
            one.candidate.origin,
            "" if one.candidate.search_value is None else words.metric(metric, one.candidate.search_value),
        )
        for one in told.candidates
    ]
    note = "What the search saw, by one training each or a few, and the best were picked by it: so it flatters them."
    return Table(("policy", "why", "in the search"), tuple(rows), frozenset({2}), note)


def _row(one: Confirmed, baseline: Confirmed, metric: str) -> tuple[str, ...]:
    known = one.difference
    mean = f"{_mean(one, one, metric)} ({_mean(baseline, one, metric)})" if one.gained else ""
    between, p_value = "", ""
    if one.dropped is not None:
        between = f"beaten after {one.dropped.seeds}"
    elif known.low is not None and known.high is not None and known.p_value is not None:
        between, p_value = interval(metric, known.low, known.high), chance(known.p_value)
    return (
        words.block(one.candidate.mixing),
        one.candidate.origin,
        _seeds(one, len(one.gained)),
        mean,
        "" if known.estimate is None else gain(metric, known.estimate),
        between,
        p_value,
    )


def _mean(side: Confirmed, one: Confirmed, metric: str) -> str:
    """Return a mean over the seeds on which `one` is compared."""
    own = usable(side.scores, maximise=True)
    return words.metric(metric, statistics.fmean(own[seed] for seed in one.gained))


def _seeds(one: Confirmed, counting: int) -> str:
    """Return how many seeds count, and how many of its trainings failed."""
    failed = len(one.failed_seeds)
    return f"{counting} ({failed} failed)" if failed else str(counting)
