"""Why a verdict is what it is, and what to beware of, in sentences for a person who decides."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from scipy import stats

from tuner.results import flatten
from tuner.selection.confirmed import Confirmation, Confirmed
from tuner.selection.words import amount, chance, counted, gain, interval

_MISSING = "not set"
_ENOUGH_SEEDS = 5


def reasons_for(
    verdict: str, found: Confirmation, shown: Confirmed | None, estimate: float | None, metric: str
) -> tuple[str, ...]:
    """Return the reasons of a verdict, the deciding one first; `estimate` is that of `shown`, corrected."""
    if shown is None:
        return ("No trial with mixing ran to its end, so there is nothing to compare with no mixing.",)
    reasons = [_deciding(verdict, found, shown, estimate, metric)]
    if verdict == "use":
        reasons += [_corrected(shown, estimate, metric), _simpler(found, shown, metric)]
    reasons += [_optimism(shown, metric), *(_dropped(one, found, metric) for one in found.compared)]
    return tuple(reason for reason in reasons if reason)


def warnings_of(found: Confirmation, shown: Confirmed | None) -> tuple[str, ...]:
    """Return what weakens the comparison: failed and few seeds, no spread, more than mixing that differs."""
    everyone = (found.baseline, *found.compared)
    warnings = [_failed(one) for one in everyone if one.failed_seeds]
    if shown is not None:
        warnings += [_few(shown), _unlike(shown, found.baseline)]
    warnings += [_constant(one) for one in found.compared if one.difference.is_constant]
    if found.compared and found.baseline.candidate.search_value is None:
        warnings.append("No training without mixing ended in the search, so what the search gained is unknown.")
    return tuple(warning for warning in warnings if warning)


def _deciding(verdict: str, found: Confirmation, shown: Confirmed, estimate: float | None, metric: str) -> str:
    name, known = shown.candidate.name, shown.difference
    if not found.race.is_over:
        return _unfinished(found)
    if not any(one.scores for one in (found.baseline, *found.compared)):
        return "Nothing is trained on fresh seeds (confirm.seeds is 0); what the search shows may be luck."
    if known.pairs < 2 or estimate is None:
        return f"{name} and no mixing have {counted(known.pairs, 'seed')} in common; an interval needs two."
    seeds = f"on {counted(known.pairs, 'fresh seed')}"
    if known.is_better and found.lacks_seeds(shown):
        return (
            f"{name} and no mixing have only {known.pairs} of {counted(found.planned, 'seed')} in common, as trainings "
            "failed: who fails so often is not shown to be better. Mend that, then confirm again."
        )
    if known.low is None or known.high is None or known.p_value is None:
        return (
            f"{name} differs from no mixing by the same {gain(metric, estimate)} {seeds}: no spread, so no certainty."
        )
    certainty = f"{interval(metric, known.low, known.high)} with {known.confidence:.0%} confidence".replace("%", " %")
    found_to_be = f"{amount(metric, estimate)} {seeds} ({certainty}, {chance(known.p_value)})"
    if verdict == "use":
        return f"{name} is better than no mixing by {found_to_be}."
    if known.is_worse:
        return f"{name} is worse than no mixing by {found_to_be}, and no other policy is surely better. Use no mixing."
    luck = f"{name} was {'better' if estimate > 0 else 'worse'} than no mixing by {found_to_be}"
    if len(found.compared) == 1:
        return f"{luck}, which may be luck. Use no mixing."
    return f"{luck}, which may be luck, and no other policy is surely better. Use no mixing."


def _unfinished(found: Confirmation) -> str:
    left = counted(len(found.race.todo), "training")
    if not any(one.scores for one in (found.baseline, *found.compared)):
        return f"Nothing has been trained on fresh seeds yet ({left} to run); what the search shows may be luck."
    return f"The confirmation is not finished: {left} still to run. Until then nothing is decided."


def _corrected(shown: Confirmed, estimate: float | None, metric: str) -> str:
    plain = shown.difference.estimate
    if shown.difference.comparisons == 1 or plain is None or estimate is None:
        return ""
    allows = f"The interval allows for {shown.difference.comparisons} policies having been compared"
    if amount(metric, plain - estimate) == amount(metric, 0.0):
        return f"{allows}; choosing the best of them did not flatter the estimate."
    how = f"{amount(metric, plain - estimate)} {'less' if estimate < plain else 'more'}"
    return f"{allows}; the estimate is {how} than the plain mean, as the best of several is partly luck."


def _simpler(found: Confirmation, shown: Confirmed, metric: str) -> str:
    """Say what the recommended policy was preferred to, if one was better by its mean."""
    rivals = [one for one in found.compared if one.is_near_best and one is not shown]
    best = max(rivals, key=lambda one: one.difference.estimate or 0.0, default=None)
    if best is None or (best.difference.estimate or 0.0) <= (shown.difference.estimate or 0.0):
        return ""
    gaps = [best.gained[seed] - shown.gained[seed] for seed in shown.gained if seed in best.gained]
    by = amount(metric, statistics.fmean(gaps))
    if not best.difference.is_better:
        return f"{best.candidate.name} was better by {by}, but is not surely better than no mixing."
    return f"{best.candidate.name} was better by {by}, less than one standard error, and is less simple: {_cost(best)}."


def _cost(one: Confirmed) -> str:
    cost = one.candidate.cost
    return f"{cost.extra_forward + cost.extra_backward:g} extra passes a step, N {cost.count}"


def _optimism(shown: Confirmed, metric: str) -> str:
    if shown.search_gain is None or shown.optimism is None:
        return ""
    how = f"{amount(metric, shown.optimism)} {'more' if shown.optimism > 0 else 'less'}"
    saw = f"The search had shown {gain(metric, shown.search_gain)}, {how} than the fresh seeds"
    high = shown.difference.high
    if high is not None and shown.search_gain > high:
        return f"{saw}, which rule out more than {gain(metric, high)}."
    return f"{saw}."


def _dropped(one: Confirmed, found: Confirmation, metric: str) -> str:
    if one.dropped is None:
        return ""
    names = {other.candidate.key: other.candidate.name for other in (found.baseline, *found.compared)}
    better = f"{names[one.dropped.rival]} was clearly better, by {amount(metric, one.dropped.gap)}"
    return f"{one.candidate.name} got no more seeds after {one.dropped.seeds}: {better}."


def _failed(one: Confirmed) -> str:
    failed = ", ".join(map(str, one.failed_seeds))
    share = f"{len(one.failed_seeds)} of {counted(len(one.scores), 'seed')} ({failed})"
    return f"{one.candidate.name} failed on {share}; the comparison leaves these out, which flatters who fails."


def _few(shown: Confirmed) -> str:
    """Say how blunt an interval of few pairs is."""
    known = shown.difference
    if not 2 <= known.pairs < _ENOUGH_SEEDS:
        return f"{shown.candidate.name} has 1 pair of seeds: no interval." if known.pairs == 1 else ""
    level = (1 - known.confidence) / known.comparisons
    width, enough = (float(stats.t.isf(level / 2, pairs - 1)) / pairs**0.5 for pairs in (known.pairs, _ENOUGH_SEEDS))
    blunt = f"its interval is {width:.1f} standard deviations of the differences wide to each side"
    return f"{shown.candidate.name} has {known.pairs} pairs of seeds: {blunt}; {_ENOUGH_SEEDS} make it {enough:.1f}."


def _constant(one: Confirmed) -> str:
    same = f"{one.candidate.name} differs from no mixing by exactly the same on {one.difference.pairs} seeds"
    return f"{same}: do seeds reach the training, and is the test split large enough?"


def _unlike(shown: Confirmed, baseline: Confirmed) -> str:
    ours, theirs = (_beside_mixing(one.candidate.config) for one in (shown, baseline))
    unlike = [
        f"{key} {ours.get(key, _MISSING)} against {theirs.get(key, _MISSING)}"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key, _MISSING) != theirs.get(key, _MISSING)
    ]
    if not unlike:
        return ""
    return (
        f"{shown.candidate.name} and no mixing differ in more than mixing ({', '.join(unlike)}): the gain is of both."
    )


def _beside_mixing(config: Mapping[str, Any]) -> dict[str, Any]:
    return flatten({key: value for key, value in config.items() if key != "mixing"})
