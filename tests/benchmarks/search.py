"""The search against Ray Tune's own ASHA, in simulated time on planted truths: who finds the best method, at what cost.

Hundreds of whole studies by the very searcher and scheduler of `tuner run`; only training is made up (tests/search/
planted.py). All draw at random, so that the schedulers alone differ. Stock comes twice: with no mixing a choice like
any other, as a space is written for Ray, and with exactly the trials that ours runs. Regret is in points of accuracy.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from measure import Target, arguments, print_document
from scipy.stats import binomtest

from tests.search import simulator, stock
from tests.search.planted import CUTMIX_IS_BETTER, NOTHING_IS_BETTER, STUDY, Planted
from tests.search.simulator import Simulated
from tuner import spec
from tuner.search.baselines import drawn_template

EPOCHS, TRIALS, WORKERS = 81, 64, 8
TRUTHS = {
    "CutMix is 3 points better": CUTMIX_IS_BETTER,
    "methods slow learning 1 to 3": replace(
        CUTMIX_IS_BETTER, slow_start=2.0, slowness={"mixup": 0.5, "fmix": 1.0, "cutmix": 1.5}
    ),
    "no method is better": NOTHING_IS_BETTER,
}
OURS: Mapping[str, Mapping[str, Any]] = {
    "none": {"strata": "none"},
    "method": {"strata": "method"},
    "strength": {"strata": "strength"},
    "both": {"strata": "both"},
    "strength, promote": {"strata": "strength", "promote": True},
    "strength, grace 5": {"strata": "strength", "grace_epochs": 5},
    "strength, grace 9": {"strata": "strength", "grace_epochs": 9},
}
"""Our variants, by what they set of the scheduler. `strength` is the default."""

MAIN = ("strength", "both", "strength, grace 9")
"""Those compared on every truth."""

STOCK, STOCK_ON_OURS, DEFAULT, LONGER = "stock", "stock, our trials", "strength", "strength, grace 9"


@dataclass(frozen=True)
class Summary:
    """What a variant's studies came to."""

    epochs: float
    seconds: float
    regret: float
    winners: Counter[str]
    drawn: Counter[str]
    real_seconds: float

    @property
    def studies(self) -> int:
        """Return how many there were."""
        return self.winners.total()

    def preference(self) -> float:
        """Return the chance, if each drawn trial is as likely to win, of wins as uneven as the most uneven method's.

        Two-sided, and multiplied by the number of methods compared (Bonferroni). The baseline is one trial of 64, and
        its one chance says nothing.
        """
        methods = [method for method in self.drawn if method != "none"]
        drawn, won = (sum(counts[method] for method in methods) for counts in (self.drawn, self.winners))
        if not won:
            return 1.0
        chances = [binomtest(self.winners[method], won, self.drawn[method] / drawn).pvalue for method in methods]
        return min(1.0, len(methods) * float(min(chances)))

    def as_json(self) -> dict[str, Any]:
        """Return the summary for the document."""
        return {
            "epochs": self.epochs,
            "simulated_epochs_long": self.seconds,
            "regret": self.regret,
            "winners": dict(self.winners.most_common()),
            "chance_of_preference": self.preference(),
            "real_seconds_a_study": self.real_seconds,
        }


def main() -> None:
    parser = arguments("early stopping against Ray Tune's ASHA on planted truths")
    parser.add_argument("--studies", type=int, default=100)
    options = parser.parse_args()
    studies = 2 if options.quick else options.studies
    optuna.logging.set_verbosity(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TUNER_HOME"] = folder
        found = {
            name: compare(truth, studies, Path(folder), OURS if truth is CUTMIX_IS_BETTER else MAIN)
            for name, truth in TRUTHS.items()
        }
    planted, harsh, null = found.values()
    base, ours, longer = planted[STOCK], planted[DEFAULT], planted[LONGER]
    minutes = sum(summary.real_seconds * summary.studies for one in found.values() for summary in one.values()) / 60
    simulated = sum(summary.studies for one in found.values() for summary in one.values())
    print_document(
        "search",
        options.quick,
        [
            Target("studies that return no mixing", share(ours, "none"), 0, 0, "lower"),
            Target("epochs by stock's", ours.epochs / base.epochs, 1.3, 1, "lower"),
            Target("regret by stock's", ours.regret / base.regret, 1 / 3, 0.1, "lower"),
            Target("longer grace: epochs by stock's", longer.epochs / base.epochs, 2.1, 1.5, "lower"),
            Target("longer grace: share that picks CutMix", share(longer, "cutmix"), 0.9, 0.95),
            Target("null: chance of the preference, strata both", null["both"].preference(), 0.05, 0.05),
            Target("null: chance of the preference, strata strength", null[DEFAULT].preference(), 0.05, 0.05),
            Target(
                "methods slow unlike: regret of both by stock's",
                harsh["both"].regret / harsh[STOCK].regret,
                1 / 3,
                0.1,
                "lower",
            ),
            Target("studies a minute", simulated / minutes, 100, 300),
        ],
        setting={"studies": studies, "trials": TRIALS, "epochs": EPOCHS, "workers": WORKERS, "unit": "points"},
        truths={name: {key: value.as_json() for key, value in one.items()} for name, one in found.items()},
    )


def share(summary: Summary, method: str) -> float:
    """Return the share of studies that a method won."""
    return summary.winners[method] / summary.studies


def compare(truth: Planted, studies: int, folder: Path, variants: Iterable[str]) -> dict[str, Summary]:
    """Return what stock and our variants make of a truth, on the same studies' seeds and noise."""
    plain = loaded(folder)
    summaries = {}
    for name, template in ((STOCK, plain.trial), (STOCK_ON_OURS, drawn_template(plain))):
        summaries[name] = summarise(
            lambda seed, template=template: stock.simulate(
                replace(plain, seed=seed), curves(truth, seed), WORKERS, template
            ),
            truth,
            studies,
        )
    for name in variants:
        own = loaded(folder, f"scheduler={json.dumps(OURS[name])}")
        summaries[name] = summarise(
            lambda seed, own=own: simulator.simulate(replace(own, seed=seed), curves(truth, seed), WORKERS),
            truth,
            studies,
        )
    return summaries


def loaded(folder: Path, *overrides: str) -> spec.StudySpec:
    """Return the planted study with what a study file may change."""
    file = folder / "planted.yaml"
    file.write_text(STUDY.format(epochs=EPOCHS, trials=TRIALS, sampler="random"))
    return spec.load(file, overrides)


def curves(truth: Planted, seed: int) -> simulator.Curves:
    """Return the truth's curves for one study."""
    return lambda assignment: truth.curve(assignment, EPOCHS, seed)


def summarise(run: Callable[[int], Simulated], truth: Planted, studies: int) -> Summary:
    """Run so many studies; each seed is far from the next, as a trial's own is the study's and a little more."""
    start = time.perf_counter()
    done = [run(1000 * number) for number in range(studies)]
    seconds = (time.perf_counter() - start) / studies
    return Summary(
        statistics.mean(one.epochs for one in done),
        statistics.mean(one.seconds for one in done),
        100 * statistics.mean(truth.regret(one.winner) for one in done),
        Counter(one.winner.config["mixing"]["name"] for one in done if one.winner),
        Counter(trial.config["mixing"]["name"] for one in done for trial in one.trials),
        seconds,
    )


if __name__ == "__main__":
    main()
