"""How often a recommendation is right: simulated studies whose truth is known, through the code of `tuner confirm`.

Every study is a noisy search, its finalists, fresh paired seeds, the race and the verdict; only training is made up
(tests/selection/simulated.py). The unit is one standard deviation of a seed. `--only` runs one group of settings.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any

from measure import Target, arguments, print_document

from tests.selection.simulated import Simulated, Truth, gain_of, is_right, simulate, uses

GAIN = 5.0
"""The planted gain of one method, in deviations of a seed."""

PAIRINGS = (0.0, 0.8)


@dataclass(frozen=True)
class Setting:
    """A truth, and what the study file says of the confirmation."""

    truth: Truth
    seeds: int = 5
    finalists: int = 3

    def run(self, studies: int) -> dict[str, Any]:
        """Return what so many studies came to."""
        start = time.perf_counter()
        done = [simulate(self.truth, number, finalists=self.finalists, seeds=self.seeds) for number in range(studies)]
        return {**summary(done, self.truth, self.seeds), "seconds_a_study": (time.perf_counter() - start) / studies}


def planted(gain: float, **more: Any) -> Truth:
    """Return a truth in which one method is better."""
    return Truth({"cutmix": gain}, **more)


GROUPS = {
    "main": {
        f"{name}, pairing {pairing:g}": Setting(Truth(gains, pairing))
        for name, gains in {"null": {}, "planted": {"cutmix": GAIN}}.items()
        for pairing in PAIRINGS
    },
    "seeds": {
        f"{name}, {seeds} seeds, pairing {pairing:g}": Setting(Truth(gains, pairing), seeds)
        for name, gains in {"null": {}, "planted": {"cutmix": GAIN}}.items()
        for seeds in (3, 10)
        for pairing in PAIRINGS
    },
    "finalists": {
        f"{name}, {finalists} finalists, pairing {pairing:g}": Setting(Truth(gains, pairing), finalists=finalists)
        for name, gains in {"null": {}, "planted": {"cutmix": GAIN}}.items()
        for finalists in (1, 2, 4, 5)
        for pairing in PAIRINGS
    },
    "power": {
        f"gain {gain:g}, pairing {pairing:g}": Setting(planted(gain, pairing=pairing))
        for gain in (1.0, 2.0, 3.0)
        for pairing in PAIRINGS
    },
    "robustness": {
        "null, smaller is better": Setting(Truth(maximise=False)),
        "planted, smaller is better": Setting(planted(GAIN, maximise=False)),
        "null, one training in ten fails": Setting(Truth(failing=0.1)),
        "planted, one training in ten fails": Setting(planted(GAIN, failing=0.1)),
        "null, tails of t with 3 degrees": Setting(Truth(freedom=3.0)),
        "null, scores in steps of 1 deviation": Setting(Truth(step=1.0)),
        "null, one method's spread is 3 times": Setting(Truth(spread={"cutmix": 3.0})),
        "all methods gain 5": Setting(Truth(dict.fromkeys(("mixup", "cutmix", "fmix"), GAIN))),
    },
}


def main() -> None:
    parser = arguments("how often a recommendation is right, on simulated studies")
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--only", choices=GROUPS, action="append", help="groups of settings; all, if not given")
    options = parser.parse_args()
    studies = 5 if options.quick else options.studies
    groups = ["main"] if options.quick else options.only or list(GROUPS)
    found = {name: {label: one.run(studies) for label, one in GROUPS[name].items()} for name in groups}
    print_document(
        "recommend",
        options.quick,
        targets(found["main"]) if "main" in found else [],
        setting={"studies": studies, "unit": "deviations of a seed", "gain": GAIN, "seeds": 5, "finalists": 3},
        groups=found,
    )


def targets(found: dict[str, dict[str, Any]]) -> list[Target]:
    """Return what the issue asks for, each in the worst of the pairings."""
    null, gained = ([one for label, one in found.items() if label.startswith(kind)] for kind in ("null", "planted"))
    return [
        Target("null: share of `use`", max(one["use"] for one in null), 0.05, 0.025, "lower"),
        Target("null: bias of the estimate", max(abs(one["bias"]) for one in null), 0.1, 0.05, "lower"),
        Target("planted: share of `use`", min(one["use"] for one in gained), 0.95, 0.99),
        Target("planted: share of intervals that cover", min(one["covers"] for one in gained), 0.90, 0.95),
    ]


def summary(done: list[Simulated], truth: Truth, seeds: int) -> dict[str, Any]:
    """Return shares of studies, biases and what the race saved.

    `covers` is the share whose shown interval covers its truth, `bias` that of the reported estimate and `plain_bias`
    that of the plain mean, `saved` the share of planned trainings that were not needed, `dropped_best` the share of
    studies whose race dropped a policy than which none is better, `search_optimism` that of the search's difference.
    """
    judged = [one for one in done if one.found.effect.estimate is not None]
    known = [(one.found.effect, gain_of(one, truth)) for one in judged]
    shown = [found for one in judged for found in one.found.candidates if found.candidate == one.found.shown]
    return {
        "use": statistics.fmean(map(uses, done)),
        "covers": statistics.fmean(is_right(one, truth) for one in done),
        "bias": statistics.fmean(effect.estimate - gain for effect, gain in known),
        "plain_bias": statistics.fmean(effect.uncorrected - gain for effect, gain in known),
        "root_mean_square_error": statistics.fmean((effect.estimate - gain) ** 2 for effect, gain in known) ** 0.5,
        "search_optimism": statistics.fmean(one.optimism for one in shown if one.optimism is not None),
        "saved": statistics.fmean(saved(one, seeds) for one in done),
        "dropped_best": statistics.fmean(drops_best(one, truth) for one in done),
    }


def saved(study: Simulated, seeds: int) -> float:
    """Return the share of the planned trainings that the race made needless."""
    return 1 - sum(map(len, study.scores.values())) / (seeds * len(study.candidates))


def drops_best(study: Simulated, truth: Truth) -> bool:
    """Tell whether a policy was dropped than which none, no mixing among them, is truly better."""
    best = max(truth.gains.get(one.method, 0.0) for one in study.candidates)
    dropped = [one for one in study.candidates if one.key in study.race.dropped]
    return any(truth.gains.get(one.method, 0.0) == best for one in dropped)


if __name__ == "__main__":
    main()
