"""Check a study's trial: every corner of its space against the catalogue, and what the other parts ask of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuner.errors import ConfigError, Path, Problem
from tuner.space import (
    Constant,
    Range,
    Section,
    corners,
    domains,
    grid,
    is_searchable,
    parameters_of,
    parse,
    read,
    warnings,
)
from tuner.spec.study import Study

Resolve = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Completes one trial's plain configuration from the catalogue, or raises ConfigError (`tuner.trial.resolve`)."""

_ONE_DATASET = (
    "the dataset is what the study is about; scores on different data cannot be compared: write one study for each"
)
_MOST_CHARACTERS = 100_000
"""Each trial's configuration is stored, recorded and sent to a worker; a usual one takes some thousand."""

_ONE_BUDGET = "epochs must be one number: it is the budget at which all trials are compared"


@dataclass(frozen=True)
class CheckedTrial:
    """A trial's template, one complete configuration of it if any corner has one, and what is wrong or doubtful."""

    template: Section
    example: Mapping[str, Any] | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]

    @property
    def epochs(self) -> int | None:
        """Return the budget of each trial, as far as it can be told."""
        training = self.template.entries.get("training")
        given = training.entries.get("epochs") if isinstance(training, Section) else None
        if isinstance(given, Constant):
            return given.value if type(given.value) is int else None
        return None if self.example is None else self.example["training"]["epochs"]


def check_trial(raw: Mapping[str, Any], resolve: Resolve) -> CheckedTrial:
    """Return the template of a study's trial section, checked by resolving each of its corners."""
    template, impossible = read(raw, ("trial",))
    if not isinstance(template, Section):
        problem = Problem(("trial",), "the trial as a whole cannot be a domain; give dataset, model, training ...")
        return CheckedTrial(Section({}), None, (*impossible, problem), ())
    problems = list(_fixed_parts(template))
    example = _resolve_corners(template, resolve, problems)
    problems = [problem for problem in problems if not _follows(problem, impossible)]
    doubts = warnings(template, ("trial",))
    if not is_searchable(template):
        doubts.append(Problem(("trial",), "no value is a domain, so all trials are the same"))
    return CheckedTrial(template, example, tuple(dict.fromkeys((*impossible, *problems))), tuple(doubts))


def check_study(study: Study, trial: CheckedTrial, resolve: Resolve) -> list[Problem]:
    """Return what is wrong with the other parts of a study in view of its trial."""
    problems = [*_check_grace(study, trial), *_check_confirm(study), *_check_seeds(study)]
    if trial.problems:
        return problems
    if study.search.sampler == "grid":
        problems += _check_grid(study, trial)
    if study.search.sampler == "cmaes":
        problems += _check_continuous(trial)
    return [*problems, *_check_baselines(study, trial, resolve)]


def _check_confirm(study: Study) -> Iterator[Problem]:
    if study.confirm.seeds and study.objective.metric == "train_loss":
        yield Problem(
            ("objective", "metric"),
            "train_loss has no counterpart on the test split, by which fresh seeds are scored; set confirm.seeds: 0 or "
            "optimise val_nll",
        )


def _follows(problem: Problem, impossible: Sequence[Problem]) -> bool:
    """Tell whether a complaint of the catalogue may come from a domain that could not be read, right below it."""
    return any(
        path[: len(problem.path)] == problem.path and len(path) <= len(problem.path) + 2 for path, _ in impossible
    )


def _check_grid(study: Study, trial: CheckedTrial) -> list[Problem]:
    try:
        points = len(grid(trial.template))
    except ConfigError as error:
        return [Problem(("trial", *path), message) for path, message in error.problems]
    seeds = study.search.seeds
    if points * seeds <= study.search.trials:
        return []
    size = f"{points} points" if seeds == 1 else f"{points} points of {seeds} seeds each, {points * seeds} trials"
    message = f"the grid has {size}; set trials to at least that, or make the grid coarser"
    return [Problem(("search", "trials"), message)]


def _check_seeds(study: Study) -> Iterator[Problem]:
    seeds, trials = study.search.seeds, study.search.trials
    if seeds == 1:
        return
    if "repeats" in study.search.model_fields_set:
        message = f"every configuration is trained on {seeds} seeds, and is not drawn again; leave out repeats or seeds"
        yield Problem(("search", "repeats"), message)
    if trials < seeds:
        message = f"a trial is one seed's training, and one configuration has {seeds}; set trials to {seeds} or more"
        yield Problem(("search", "trials"), message)


def _check_continuous(trial: CheckedTrial) -> Iterator[Problem]:
    """Yield what an evolution strategy cannot search: values without an order, steps, and a single number."""
    found = domains(trial.template)
    other = [name for name, one in found.items() if not isinstance(one, Range) or one.integers or one.step is not None]
    advice = "use tpe or gp, or write one mixing method with ranges of real numbers (no mixing runs in any case)"
    if other:
        message = f"cmaes searches real numbers alone; not so: {', '.join(other)}; {advice}"
        yield Problem(("search", "sampler"), message)
    elif len(found) < 2:
        yield Problem(
            ("search", "sampler"), f"cmaes needs two ranges or more, the trial has {len(found)}; use tpe or gp"
        )


def _fixed_parts(template: Section) -> Iterator[Problem]:
    dataset = template.entries.get("dataset")
    if dataset is not None and is_searchable(dataset):
        yield Problem(("trial", "dataset"), _ONE_DATASET)
    training = template.entries.get("training")
    epochs = training.entries.get("epochs") if isinstance(training, Section) else None
    if epochs is not None and is_searchable(epochs):
        yield Problem(("trial", "training", "epochs"), _ONE_BUDGET)


def _resolve_corners(template: Section, resolve: Resolve, problems: list[Problem]) -> Mapping[str, Any] | None:
    example = None
    complaints: dict[tuple[Path, str], set[Path]] = {}
    for corner in corners(template):
        try:
            example = resolve(copy.deepcopy(corner.config))
            _refuse_large(example)
        except ConfigError as error:
            for path, message in error.problems:
                origin = ("trial", *corner.origin_of(path))
                complaints.setdefault((_domain_of(origin), message), set()).add(origin)
    for (domain, message), origins in complaints.items():
        # What is said of all alternatives alike is about the key that they stand under.
        problems.append(Problem(domain if len(origins) > 1 else origins.pop(), message))
    return example


def _refuse_large(config: Mapping[str, Any]) -> None:
    """Check that a configuration is short; the default of somebody's own function may be anything."""
    if len(_text(config)) <= _MOST_CHARACTERS:
        return
    path, value = _largest(config)
    size = f"takes {len(_text(value)):,} characters; all of a trial's configuration may take {_MOST_CHARACTERS:,}"
    raise ConfigError([Problem(path, f"{size}: give the name of a file that the function reads instead")])


def _largest(config: Any, path: Path = ()) -> tuple[Path, Any]:
    """Return the longest value and its path."""
    if not isinstance(config, Mapping) or not config:
        return path, config
    key = max(config, key=lambda key: len(_text(config[key])))
    return _largest(config[key], (*path, key))


def _text(value: Any) -> str:
    return json.dumps(value, default=str)


def _domain_of(path: Path) -> Path:
    """Return the path of the domain, if `path` is that of one of its alternatives."""
    if path[-1] in ("low", "high"):
        return path[:-1]
    return path[:-2] if path[-2:-1] in (("any",), ("choice",)) else path


def _check_grace(study: Study, trial: CheckedTrial) -> Iterator[Problem]:
    grace, epochs = study.scheduler.grace_epochs, trial.epochs
    is_given = "grace_epochs" in study.scheduler.model_fields_set
    if study.scheduler.name == "asha" and is_given and epochs is not None and grace > epochs:
        message = f"grace_epochs {grace} is more than the {epochs} epochs of a trial; set it to {epochs} or less"
        yield Problem(("scheduler", "grace_epochs"), message)


def _check_baselines(study: Study, trial: CheckedTrial, resolve: Resolve) -> Iterator[Problem]:
    listed = study.search.baselines
    if isinstance(listed, str):
        return
    for index, mixing in enumerate(listed):
        for path, message in _baseline_problems(mixing, trial, resolve):
            yield Problem(("search", "baselines", index, *path[1:]), message)


def _baseline_problems(mixing: Mapping[str, Any], trial: CheckedTrial, resolve: Resolve) -> list[Problem]:
    """Return what is wrong with one mixing block: first by itself, then as a point of the space."""
    if mixing == {"name": "none"}:
        return []
    try:
        if is_searchable(parse(mixing, ("mixing",))):
            return [Problem(("mixing",), "a baseline is one setting, not a space; give each value")]
        resolve({**copy.deepcopy(trial.example or {}), "mixing": copy.deepcopy(mixing)})
        parameters_of(trial.template, {"mixing": mixing})
    except ConfigError as error:
        return list(error.problems)
    return []
