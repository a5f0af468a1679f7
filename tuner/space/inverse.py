"""Find the Optuna parameters that would draw a given configuration, or say why none would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner.catalog import nearest
from tuner.errors import ConfigError, Path, Problem, dotted
from tuner.space.nodes import AnyOf, Choice, Constant, Items, Label, Node, Range, Section, is_searchable
from tuner.space.parse import same

_STEP_TOLERANCE = 1e-8
"""Optuna's own (`FloatDistribution._contains`)."""


def parameters_of(template: Section, config: Mapping[str, Any]) -> dict[str, Label]:
    """Return the Optuna parameters with which `suggest` would draw `config`.

    `config` may leave out whole top-level sections, whose parameters are then left out too, and constants that the
    template fixes.

    Raises:
        ConfigError: every value outside the space, every key that the space lacks, every searched leaf not given.
    """
    search = _Search({}, [])
    for key, value in config.items():
        if key in template.entries:
            search.match(template.entries[key], value, (key,), (key,))
        else:
            known = list(template.entries)
            search.report((key,), f"the space has no {key}; it has {', '.join(known)}{nearest(key, known)}")
    if search.problems:
        raise ConfigError(search.problems)
    return search.parameters


def spoken_of(template: Node, config: Any) -> Any:
    """Return the part of a complete configuration that a template speaks of, without the defaults that it leaves out.

    What of it lies outside the space stays, for `parameters_of` to complain of.
    """
    match template:
        case Constant(str()) if isinstance(config, Mapping):
            return {"name": config.get("name")}
        case Choice(branches) if isinstance(config, Mapping) and config.get("name") in branches:
            return {"name": config["name"], **spoken_of(branches[config["name"]], config)}
        case Section(entries) if isinstance(config, Mapping):
            return {key: spoken_of(child, config[key]) for key, child in entries.items() if key in config}
        case Items(nodes) if isinstance(config, list | tuple) and len(nodes) == len(config):
            return [spoken_of(child, item) for child, item in zip(nodes, config, strict=True)]
    return config


class _Search:
    """The parameters and problems found so far, on the way through template and configuration together."""

    def __init__(self, parameters: dict[str, Label], problems: list[Problem]) -> None:
        self.parameters = parameters
        self.problems = problems

    def report(self, path: Path, message: str) -> None:
        self.problems.append(Problem(path, message))

    def match(self, node: Node, value: Any, name: Path, path: Path) -> None:
        match node:
            case Constant(constant):
                if not same(_named(constant), _named(value)):
                    self.report(path, f"{path[-1]} is {value!r}, but the space fixes it at {constant!r}")
            case Section():
                self._section(node, _named(value), name, path)
            case Items(nodes):
                self._items(nodes, value, name, path)
            case Choice():
                self._choice(node, _named(value), name, path)
            case AnyOf():
                self._any(node, value, name, path)
            case Range():
                self._range(node, value, name, path)

    def _section(self, section: Section, value: Any, name: Path, path: Path) -> None:
        if not isinstance(value, Mapping):
            self.report(path, f"wanted keys and values, read {value!r}")
            return
        known = list(section.entries)
        for key in value:
            if key not in section.entries:
                where = dotted((*path, key))
                allowed = ", ".join(known) or "nothing"
                self.report((*path, key), f"the space has no {where}; allowed here: {allowed}{nearest(key, known)}")
        for key, child in section.entries.items():
            if key in value:
                self.match(child, value[key], (*name, key), (*path, key))
            elif is_searchable(child):
                self.report(path, f"the baseline lacks {dotted((*path, key))}, which the space searches")

    def _items(self, nodes: tuple[Node, ...], value: Any, name: Path, path: Path) -> None:
        if not isinstance(value, list | tuple) or len(value) != len(nodes):
            self.report(path, f"{path[-1]} is {value!r}, but the space has a list of {len(nodes)}")
            return
        for index, (child, item) in enumerate(zip(nodes, value, strict=True)):
            self.match(child, item, (*name, index), (*path, index))

    def _choice(self, choice: Choice, value: Any, name: Path, path: Path) -> None:
        known = list(choice.branches)
        branch = value.get("name") if isinstance(value, Mapping) else None
        if branch is None:
            self.report(path, f"the baseline lacks {dotted(path)}.name, which the space searches: {', '.join(known)}")
        elif branch not in choice.branches:
            hint = nearest(str(branch), known)
            self.report(path, f"{branch!r} is outside {', '.join(known)}{hint}")
        else:
            self.parameters[dotted(name)] = branch
            leaves = {key: leaf for key, leaf in value.items() if key != "name"}
            self._section(choice.branches[branch], leaves, (*name, branch), path)

    def _any(self, domain: AnyOf, value: Any, name: Path, path: Path) -> None:
        for candidate, label in zip(domain.values, domain.labels, strict=True):
            if same(candidate, value):
                self.parameters[dotted(name)] = label
                return
        self.report(path, f"{path[-1]} {value!r} is outside {', '.join(map(repr, domain.values))}")

    def _range(self, domain: Range, value: Any, name: Path, path: Path) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            self.report(path, f"{path[-1]} must be a number from {domain.low} to {domain.high}, read {value!r}")
        elif not domain.low <= value <= domain.high:
            self.report(path, f"{path[-1]} {value} is outside {domain.low} to {domain.high}")
        elif not _is_on_step(domain, value):
            step = domain.step or 1
            self.report(path, f"{path[-1]} {value} is between the steps of {step} from {domain.low} to {domain.top}")
        else:
            self.parameters[dotted(name)] = int(value) if domain.integers else float(value)


def _is_on_step(domain: Range, value: int | float) -> bool:
    if domain.step is None and not domain.integers:
        return True
    position = (value - domain.low) / (domain.step or 1)
    return value <= domain.top and abs(position - round(position)) < _STEP_TOLERANCE


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value
