"""Load a study file: read, merge, check every part, and report all mistakes at once."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML

from tuner.errors import Problem, StudyFileError
from tuner.space import Section
from tuner.spec.check import CheckedTrial, Resolve, check_study, check_trial
from tuner.spec.document import compose
from tuner.spec.merge import apply_overrides, read_study
from tuner.spec.parts import read_parts
from tuner.spec.shipped import find_study
from tuner.spec.study import Confirm, Limits, Objective, Resources, Scheduler, Search, Study
from tuner.spec.tree import UNREAD, Mistake, Node, failure


@dataclass(frozen=True)
class StudySpec:
    """A study that can be run.

    `trial` is the search space of the whole trial and `epochs` the budget of each; `source` is the merged study file as
    YAML text, for the record, and `tree` the same with the place of everything; `warnings` are lines for people.
    """

    name: str
    seed: int
    trial: Section
    epochs: int
    objective: Objective
    search: Search
    scheduler: Scheduler
    confirm: Confirm
    resources: Resources
    limits: Limits
    source: str
    tree: Node = field(repr=False, compare=False)
    warnings: tuple[str, ...] = ()

    def failure(self, problems: Iterable[Problem]) -> StudyFileError:
        """Return the error that lists problems found after loading, each with its line; paths begin with `trial`."""
        return failure([Mistake(self.tree.at(path).place, path, message) for path, message in problems])


def load(path_or_name: str | FilePath, overrides: Sequence[str] = (), *, resolve: Resolve | None = None) -> StudySpec:
    """Return the checked study of a file, or of a shipped study's bare name, with `--set` arguments applied.

    `resolve` completes one trial's configuration from the catalogue; by default `tuner.trial.resolve`.

    Raises:
        StudyFileError: every mistake of the file, in the order of its lines.
        UsageError: an override that is not `path.to.leaf=VALUE`.
    """
    mistakes: list[Mistake] = []
    tree = read_study(find_study(path_or_name), mistakes)
    tree = apply_overrides(tree, overrides, mistakes)
    raw = tree.plain
    resolve = resolve or _catalogue()
    study, problems = read_parts(raw)
    trial = check_trial(study.trial, resolve) if isinstance(raw.get("trial"), dict) else None
    if trial is not None:
        problems += [*trial.problems, *check_study(study, trial, resolve)]
    mistakes += _located(problems, tree, mistakes)
    if mistakes or trial is None or trial.epochs is None:
        raise failure(mistakes)
    return _spec(study, trial, trial.epochs, tree)


def plain(source: str) -> Any:
    """Return the values of a merged study file, `StudySpec.source`, without checking them again."""
    return compose(source, "the study's own file")[0].plain


def settings(source: str) -> Study:
    """Return what a merged study file says beside its trial, which is not checked again."""
    return read_parts(plain(source))[0]


def _catalogue() -> Resolve:
    # Imports torch, which nothing else here needs.
    from tuner.trial import resolve

    return resolve


def _located(problems: Iterable[Problem], tree: Node, known: Sequence[Mistake]) -> list[Mistake]:
    """Return problems with their places, without those of a value that could not be read in the first place."""
    unread = {mistake.path for mistake in known if tree.at(mistake.path).value == UNREAD}
    return [
        Mistake(tree.at(problem.path).place, problem.path, problem.message)
        for problem in problems
        if not any(problem.path[: len(path)] == path for path in unread)
    ]


def _spec(study: Study, trial: CheckedTrial, epochs: int, tree: Node) -> StudySpec:
    scheduler = study.scheduler.model_copy(update={"grace_epochs": min(study.scheduler.grace_epochs, epochs)})
    return StudySpec(
        name=study.name,
        seed=study.seed,
        trial=trial.template,
        epochs=epochs,
        objective=study.objective,
        search=study.search,
        scheduler=scheduler,
        confirm=study.confirm,
        resources=study.resources,
        limits=study.limits,
        source=_as_yaml(tree.plain),
        tree=tree,
        warnings=tuple(str(Mistake(tree.at(path).place, path, message)) for path, message in trial.warnings),
    )


def _as_yaml(values: Any) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = False  # otherwise U+0085 is written as it is, and read back as a line's end
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.representer.ignore_aliases = lambda _: True
    text = io.StringIO()
    yaml.dump(values, text)
    return text.getvalue()
