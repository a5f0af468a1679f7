"""Racing: which candidates are clearly beaten on the seeds so far, and get no more.

After the third seed, and after each one from there on, every candidate is compared with the baseline and with the
leader, the candidate of the best mean: a paired t test on those seeds, one-sided. It is dropped where either is better
at a level of 5 % shared by all the comparisons there can be (rivals x looks, Bonferroni). So one that is as good as
any other is dropped in at most 5 % of the studies. The baseline is never dropped.

Only a candidate that has run all its seeds can be recommended, and the number of comparisons stays that of all who
started. So `use` is at most as frequent as it would be had nobody been dropped: dropping takes chances away and gives
none. The intervals of those that remain are from all planned seeds, as if there had been no race. The mean of a
dropped one is too low, as it was dropped for being low.

Everything follows from the recorded scores: a look at the first m seeds uses those alone and waits until all who race
have run them, so the same are dropped in whatever order trainings end, and after any interruption.

Source: Maron and Moore 1997 (racing); Birattari et al. 2002 (F-race: blocks, statistical tests).
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from tuner.selection.statistics import Scores, gains, is_constant, standard_error, usable

FIRST_LOOK = 3
"""Seeds before which nobody is dropped."""

_LEVEL = 0.05


@dataclass(frozen=True)
class Dropped:
    """Why a candidate gets no more seeds: `rival` was better on the first `seeds` of them, by `gap` on average."""

    seeds: int
    rival: str
    gap: float


@dataclass(frozen=True)
class Race:
    """Where a race stands: who is still in it, who was dropped, and which trainings (key, seed) are still to run."""

    remaining: tuple[str, ...]
    dropped: Mapping[str, Dropped]
    todo: tuple[tuple[str, int], ...]

    @property
    def is_over(self) -> bool:
        """Tell whether nothing is left to run."""
        return not self.todo


def race(
    keys: Sequence[str], baseline: str, seeds: Sequence[int], scores: Mapping[str, Scores], maximise: bool
) -> Race:
    """Return where the race of `keys` against each other and the baseline stands; `seeds` are all the planned ones.

    A training is over when its seed has a score, or None: it failed. What is to run comes seed by seed, the baseline
    first, so that the next look can be taken as early as possible.

    Raises:
        ValueError: the baseline is among the keys.
    """
    if baseline in keys:
        raise ValueError(f"the baseline {baseline} does not race; leave it out of the keys")
    values = {key: usable(scores.get(key, {}), maximise) for key in (baseline, *keys)}
    looks = range(FIRST_LOOK, len(seeds))
    level = _LEVEL / max(1, len(keys) * len(looks))
    remaining, dropped = tuple(keys), dict[str, Dropped]()
    for look in looks:
        done = seeds[:look]
        if not all(_has_run(scores.get(key, {}), done) for key in (baseline, *remaining)):
            break
        so_far = {key: {seed: values[key][seed] for seed in done if seed in values[key]} for key in values}
        dropped |= _beaten(remaining, baseline, so_far, look, level)
        remaining = tuple(key for key in remaining if key not in dropped)
    racing = (baseline, *remaining) if remaining else ()
    todo = tuple((key, seed) for seed in seeds for key in racing if seed not in scores.get(key, {}))
    return Race(remaining, dropped, todo)


def _beaten(
    keys: Sequence[str], baseline: str, values: Mapping[str, Mapping[int, float]], look: int, level: float
) -> dict[str, Dropped]:
    """Return those of the keys that the leader or the baseline clearly beats, by what each has scored so far."""
    means = {key: statistics.fmean(gained.values()) for key in keys if (gained := gains(values[key], values[baseline]))}
    leader = max(means, key=means.__getitem__, default=baseline)
    beaten = {}
    for key in keys:
        for rival in (leader, baseline):
            gaps = list(gains(values[rival], values[key]).values())
            if rival != key and _is_clearly_positive(gaps, level):
                beaten[key] = Dropped(look, rival, statistics.fmean(gaps))
                break
    return beaten


def _is_clearly_positive(gaps: Sequence[float], level: float) -> bool:
    """Tell whether a mean is above 0 beyond doubt; gaps without spread, or a few, leave doubt."""
    if len(gaps) < FIRST_LOOK or is_constant(gaps) or statistics.fmean(gaps) <= standard_error(gaps):
        return False  # the last of these saves the time of a test that could not pass
    return bool(stats.ttest_1samp(gaps, 0.0, alternative="greater").pvalue < level)


def _has_run(scores: Scores, seeds: Collection[int]) -> bool:
    return all(seed in scores for seed in seeds)
