"""All that a report tells of a study, read from its storage once."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import optuna

from tuner import preview, spec, trial
from tuner.datasets import Split
from tuner.errors import TunerError
from tuner.preview.rows import Row
from tuner.results import StudyResult, TrialRecord, over_seeds
from tuner.search import importance, recommendation, storage, stored, warm_start
from tuner.search.safety import Safety, stopping
from tuner.search.seeds import tested, trainings
from tuner.selection.answer import Response
from tuner.selection.confirmed import Confirmed
from tuner.selection.effects import Effect, effects
from tuner.selection.points import Grid, grid_points
from tuner.selection.recommend import Recommendation, Verdict
from tuner.selection.second_axes import SecondAxes, second_axes

_SHEET_IMAGES = 8
_MOST_SHEETS = 10
_PACKAGES = ("torch", "ray", "optuna", "mlflow")


@dataclass(frozen=True)
class Sheets:
    """Images of the data set `of`, unmixed and mixed: rows by the number of the trial whose policy mixed them.

    `missing` says why there are none. They are of the trial that the report is about and the best others.
    """

    rows: Mapping[int, tuple[Row, ...]]
    of: str
    missing: str = ""


@dataclass(frozen=True)
class Spent:
    """What a confirmation's trainings took so far, those that failed too; seconds are those of their epochs."""

    trainings: int
    epochs: int
    seconds: float


@dataclass(frozen=True)
class Findings:
    """A study as its report tells it.

    `recommendation` is None where the search has not begun a trial without mixing, `second_axes` is empty before any
    training on fresh seeds, `stopping` None where nothing is stopped early or it is not known by which rule.
    `confirmed` is what the trainings on fresh seeds took, None before any. `shown` is the trial whose policy the sheet
    and the advice are about: that of the recommended policy, or of the one that came nearest. `network` is the file of
    the network that the recommended policy trained on the first fresh seed, if it was kept. `data` is the data set, if
    it can be loaded here.
    """

    result: StudyResult
    settings: spec.study.Study
    source: str
    epochs: int
    maximise: bool
    recommendation: Recommendation | None
    responses: tuple[Response, ...]
    second_axes: tuple[SecondAxes, ...]
    effects: tuple[Effect, ...]
    importances: importance.Importances
    stopping: Safety | None
    notes: tuple[str, ...]
    shown: TrialRecord | None
    data: Split | None
    sheets: Sheets
    network: Path | None
    confirmed: Spent | None
    environment: dict[str, str]

    @cached_property
    def grid(self) -> Grid | None:
        """Return the points of a grid; None of another search."""
        is_grid = self.settings.search.sampler == "grid"
        return grid_points(self.result.trials, maximise=self.maximise) if is_grid else None

    @property
    def is_table(self) -> bool:
        """Tell whether the examples are rows of a table, of which there are no pictures."""
        return self.data is not None and bool(self.data.features)

    @property
    def metric(self) -> str:
        """Return the objective."""
        return self.settings.objective.metric

    def candidate(self) -> Confirmed | None:
        """Return the candidate that the verdict is about."""
        told = self.recommendation
        if told is None or told.shown is None:
            return None
        return next((one for one in told.candidates if one.candidate.key == told.shown.key), None)


def gather(name: str) -> Findings:
    """Read all that is known of a study now; its data is loaded for the sheet of mixed images, if it can be.

    Raises:
        UsageError: there is no such study, or it was begun before studies kept their file.
    """
    study = storage.load(name)
    confirming = storage.confirmation_if_begun(study)
    settings = recommendation.settings_of(study)
    result = stored.stored(name)
    responses = recommendation.responses_of(settings, study)
    found = _recommended(settings, study, confirming, responses)
    shown = _shown(result, found)
    maximise = settings.objective.mode == "max"
    split = _data(shown)
    return Findings(
        result=result,
        settings=settings,
        source=stored.source(name) or "",
        epochs=max((one.config["training"]["epochs"] for one in result.trials), default=0),
        maximise=maximise,
        recommendation=found,
        responses=responses,
        second_axes=_second_axes(found, confirming),
        effects=effects(result.trials, metric=settings.objective.metric, maximise=maximise),
        importances=importance.importances(study),
        stopping=stopping(study, result.trials),
        notes=warm_start.words(study),
        shown=shown,
        data=split if isinstance(split, Split) else None,
        sheets=_sheets(_shown_first(result, shown, maximise), split),
        network=recommendation.network_of(settings, confirming, found.used) if found and confirming else None,
        confirmed=None if confirming is None else _spent(confirming),
        environment=_environment(),
    )


def _recommended(
    settings: spec.study.Study, study: optuna.Study, confirming: optuna.Study | None, responses: Sequence[Response]
) -> Recommendation | None:
    try:
        return recommendation.of(settings, study, confirming, responses)
    except ValueError:  # no trial without mixing was started
        return None


def _second_axes(found: Recommendation | None, confirming: optuna.Study | None) -> tuple[SecondAxes, ...]:
    if found is None or confirming is None:
        return ()
    return second_axes([one.candidate for one in found.candidates], tested(confirming))


def _spent(confirming: optuna.Study) -> Spent | None:
    over = trainings(confirming)
    epochs = [epoch.seconds for one in over for epoch in storage.history(one)]
    return Spent(len(over), len(epochs), sum(epochs)) if over else None


def _shown(result: StudyResult, found: Recommendation | None) -> TrialRecord | None:
    number = found.shown.trial if found is not None and found.shown is not None else None
    is_settled = found is not None and found.verdict is not Verdict.NOT_CONFIRMED
    chosen = next((one for one in result.trials if one.number == number), None)
    return chosen if is_settled or result.best is None else chosen or result.best


def _data(shown: TrialRecord | None) -> Split | str:
    """Return the data set, or why it cannot be had."""
    if shown is None:
        return "no trial has run to its end"
    try:
        return trial.load_data(shown.config, shown.seed)
    except (ValueError, OSError, ImportError, TunerError) as error:
        return f"the data could not be loaded here: {error}"


def _shown_first(result: StudyResult, shown: TrialRecord | None, maximise: bool) -> list[TrialRecord]:
    """Return the trials that get a sheet: the one that the report is about, then the best that ran to the end."""
    sign = 1 if maximise else -1
    ordered = [one.first for one in sorted(over_seeds(result.trials), key=lambda one: sign * one.mean, reverse=True)]
    others = [one for one in ordered if shown is not None and one.number != shown.number]
    mixed = [one for one in ([shown] if shown else []) + others if one.params.get("mixing.name") != "none"]
    return mixed[:_MOST_SHEETS]


def _sheets(wanted: Sequence[TrialRecord], split: Split | str) -> Sheets:
    if isinstance(split, str):
        return Sheets({}, "", split)
    if not wanted:
        return Sheets({}, split.name, "no policy mixes in this study")
    try:
        unmixed, mixed = preview.grouped([one.config for one in wanted], split, shown=_SHEET_IMAGES)
    except (ValueError, TunerError) as error:
        return Sheets({}, split.name, f"the images could not be mixed here: {error}")
    return Sheets({one.number: (unmixed, *rows) for one, rows in zip(wanted, mixed, strict=True)}, split.name)


def _environment() -> dict[str, str]:
    found: dict[str, Any] = {"Python": platform.python_version()}
    for package in ("mixup-tuner", *_PACKAGES):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
