"""What a study file may say beside its trial: every key, its limits, its default and the reason for it."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict, Field, field_validator

from tuner.catalog import nearest
from tuner.home import NAME, NAME_IN_WORDS
from tuner.results import OBJECTIVES

_LARGEST_WASTE = 0.05
MOST_TRIALS_A_GPU = 100


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Objective(_Part):
    """What the study optimises."""

    # What people compare methods by; it also hides least when label mixing makes the loss hard to compare.
    metric: str = "val_accuracy"
    # Each metric is better in one direction only, so the direction need not be said.
    mode: Literal["max", "min"] = Field(default_factory=lambda data: OBJECTIVES.get(data.get("metric", ""), "max"))  # type: ignore[arg-type]

    @field_validator("metric")
    @classmethod
    def _is_reported(cls, metric: str) -> str:
        if metric not in OBJECTIVES:
            hint = nearest(metric, list(OBJECTIVES))
            raise ValueError(f"no trial reports {metric!r}; reported each epoch: {', '.join(OBJECTIVES)}{hint}")
        return metric

    @field_validator("mode")
    @classmethod
    def _fits_metric(cls, mode: str, info: Any) -> str:  # ValidationInfo, which beartype cannot check
        metric = info.data.get("metric")
        if metric is not None and mode != OBJECTIVES[metric]:
            raise ValueError(f"{metric} is better when it is {_EXTREME[OBJECTIVES[metric]]}; leave mode out")
        return mode


_EXTREME = {"max": "larger, mode max", "min": "smaller, mode min"}


class Search(_Part):
    """Which trials are drawn."""

    # TPE handles conditional spaces and uses what pruned trials showed; the others are there to compare with.
    sampler: Literal["tpe", "gp", "random", "qmc", "cmaes", "grid"] = "tpe"
    # TPE's ten random trials, and some fifty that learn from them.
    trials: Annotated[int, Ge(1)] = 64
    # A configuration drawn again is trained with another seed, which shows the noise; more of that is confirm's work.
    repeats: Annotated[int, Ge(1)] = 3
    # One training is enough to find what is clearly better. More seeds tell small differences apart, at their price.
    seeds: Annotated[int, Ge(1)] = 1
    # No mixing always runs and is what every policy must beat; published settings cost trials, so are asked for.
    baselines: Literal["literature", "none"] | list[dict[str, Any]] = Field(
        default="none", description="literature, none or a list of mixing blocks"
    )

    # Earlier studies of the same training whose trials the sampler learns from; nothing is taken without being named.
    warm_start: list[str] = Field(default=[], description="a list of names of studies")

    @field_validator("baselines", mode="before")
    @classmethod
    def _name_blocks(cls, baselines: Any) -> Any:
        if not isinstance(baselines, list):
            return baselines
        return [{"name": block} if isinstance(block, str) else block for block in baselines]


class Scheduler(_Part):
    """Which trials are stopped early."""

    # Stops hopeless trials: 27 trials of 27 epochs in random order cost 275 epochs instead of 729.
    name: Literal["asha", "fifo"] = "asha"
    # Mixing slows the first epochs: before the third they rank it too low (DESIGN.md, section 7).
    grace_epochs: Annotated[int, Ge(1)] = 3
    # A rung keeps one third. Small budgets have few rungs, and 4 would leave fewer (Li et al., ASHA, take 3 or 4).
    reduction: Annotated[int, Ge(2)] = 3
    # Strong mixing learns more slowly, so a rung compares trials of like strength; `both` also of like method.
    strata: Literal["strength", "method", "both", "none"] = "strength"
    # Stopped trials free their checkpoints at once. Paused ones keep them, and may go on when their rung has filled.
    promote: bool = False


class Confirm(_Part):
    """How the best trials are trained again, from fresh seeds."""

    # Enough that the true best is most often among them, few enough to pay for.
    finalists: Annotated[int, Ge(1)] = 3
    # A paired interval needs two; five make it narrow enough to show effects of the size of a seed's noise. 0: none.
    seeds: Annotated[int, Ge(0)] = 5
    # What the search trained on, so that its settings fit. The other way gives the model that one would ship.
    train_on: Literal["train", "train_and_validation"] = "train"


class Resources(_Part):
    """What one trial takes, and how many run at a time."""

    # One thread a trial: several small trials side by side beat one with several threads.
    cpus: Annotated[int, Ge(1)] = 1
    # A laptop has none; GPUs are asked for by name. `auto` measures one trial and lets as many share a GPU as fit.
    gpus: Literal["auto"] | Annotated[float, Ge(0)] = Field(
        default=0.0, description="auto or a number of GPUs: 0, a share such as 0.5, or 1, 2 ..."
    )
    # As many as fit.
    concurrent: Literal["auto"] | Annotated[int, Ge(1)] = "auto"

    @property
    def gpus_known(self) -> float:
        """Return a trial's GPUs as a number; `auto` is none until it has been settled."""
        return 0.0 if self.gpus == "auto" else self.gpus

    @field_validator("gpus")
    @classmethod
    def _packs(cls, gpus: float | Literal["auto"]) -> float | Literal["auto"]:
        if gpus == "auto":
            return gpus
        if gpus >= 1 or gpus == 0:
            low, high = float(math.floor(gpus)), float(math.ceil(gpus))
            fits = low == high
        else:
            trials = math.floor(1 / max(gpus, 1e-6) + 1e-9)
            low, high = share_of_gpu(trials + 1), share_of_gpu(trials)
            fits = trials <= MOST_TRIALS_A_GPU and 1 - trials * gpus <= _LARGEST_WASTE + 1e-9
        if not fits:
            nearest_fitting = " and ".join(dict.fromkeys((f"{low:g}", f"{high:g}")))
            raise ValueError(f"trials of {gpus:g} GPUs do not fill whole GPUs; nearest that do: {nearest_fitting}")
        return gpus


class Limits(_Part):
    """When the study ends, whatever is left to do."""

    # The number of trials is the usual budget.
    hours: Annotated[float, Gt(0)] | None = None
    # Epochs of all trials together: a budget that does not depend on the machine.
    epochs: Annotated[int, Ge(1)] | None = None
    # A trial that reports nothing for so long hangs, and is ended. By default ten minutes, or ten times the longest
    # epoch seen so far: the first epoch is slow (data to the device, compilation), and epochs differ in length.
    trial_silence_minutes: Annotated[float, Gt(0)] | None = None
    # What the study's checkpoints may take on disk; beyond it none are written. By default without bound, for what no
    # longer serves is removed at once: there is one of each trial that can go on, and the best trial's network.
    checkpoint_gigabytes: Annotated[float, Gt(0)] | None = None
    # When the first five trials all fail, the next ones will too. One that ends well lifts the limit.
    failures: Annotated[int, Ge(1)] = 5


class Published(_Part):
    """What a text that the study repeats says: it is shown beside what the study finds, and decides nothing."""

    source: str = ""
    claim: str = ""
    # What the numbers measure, which is seldom quite what the study does.
    metric: str = ""
    note: str = ""
    # Each row is of the points that have all these settings; its numbers are by who measured them.
    rows: list[dict[str, Any]] = Field(
        default=[],
        description="a list of {where: {mixing.name: mixup}, values: {paper: 0.85}}, each also with `called`",
    )

    @field_validator("rows")
    @classmethod
    def _are_rows(cls, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for number, row in enumerate(rows, start=1):
            if unknown := sorted(row.keys() - {"where", "called", "values"}):
                raise ValueError(f"row {number} has {', '.join(unknown)}; allowed: where, called, values")
            where, values = row.get("where"), row.get("values")
            if not isinstance(where, dict) or not isinstance(values, dict):
                raise ValueError(f"row {number} needs where and values, each with keys and values")
            wrong = [one for one in values.values() if isinstance(one, bool) or not isinstance(one, int | float)]
            if wrong:
                raise ValueError(f"row {number}: wanted numbers as values, read {wrong[0]!r}")
        return rows


class Study(_Part):
    """A whole study file; `trial` is checked elsewhere, against the catalogue."""

    name: str
    trial: dict[str, Any] = Field(description="one trial: dataset, model, training, loss, mixing")
    # Any fixed number makes a study repeatable; 2^31 - 1 is the largest that every library takes.
    seed: Annotated[int, Ge(0), Le(2**31 - 1)] = 0
    objective: Objective = Objective()
    search: Search = Search()
    scheduler: Scheduler = Scheduler()
    confirm: Confirm = Confirm()
    resources: Resources = Resources()
    limits: Limits = Limits()
    published: Published = Published()

    @field_validator("name")
    @classmethod
    def _is_safe(cls, name: str) -> str:
        if not re.fullmatch(NAME, name):
            raise ValueError(f"wanted {NAME_IN_WORDS}, read the text {name!r}")
        return name


def share_of_gpu(trials: int) -> float:
    """Return the share of a GPU that `trials` of them fill, rounded down to what Ray's bookkeeping can add up."""
    return math.floor(1000 / min(trials, MOST_TRIALS_A_GPU)) / 1000
