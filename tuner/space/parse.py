"""Read a plain YAML value as a template, every mistake reported at once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tuner.catalog import IMPORT, nearest
from tuner.errors import ConfigError, Path, Problem, dotted
from tuner.space.nodes import AnyOf, Choice, Constant, Items, Node, Range, Section, is_searchable, walk
from tuner.values import checked

_RANGE_KEYS = ["low", "high", "log", "step"]
_LARGEST_WHOLE = 2**53
"""Above this, neighbouring whole numbers are one float, and Optuna samples in floats."""
_MOST_STEPS = 10**9


def parse(raw: Any, path: Path = ()) -> Node:
    """Return the template that a plain value describes; paths of mistakes begin with `path`.

    A mapping that has `low` or `high`, `any`, or `choice` is a domain, unless it has a `name` or an `import`.

    Raises:
        ConfigError: every impossible range, empty or repeated list of values, wrong type and unknown domain key.
    """
    template, problems = read(raw, path)
    if problems:
        raise ConfigError(problems)
    return template


def read(raw: Any, path: Path = ()) -> tuple[Node, list[Problem]]:
    """Return the template and every mistake in it; null stands for a domain that could not be read."""
    problems: list[Problem] = []
    template = _node(raw, path, problems)
    names = Counter(dotted(found.name) for found in walk(template))
    problems += [
        Problem(path, f"two domains have the same parameter name {name!r}; rename a key")
        for name, count in names.items()
        if count > 1
    ]
    return template, problems


def warnings(template: Node, path: Path = ()) -> list[Problem]:
    """Return what is allowed but probably not meant: a domain with one value, a step that misses the range's end."""
    found = []
    for domain, where, _ in walk(template, path):
        match domain:
            case Choice(branches) if len(branches) == 1:
                name = next(iter(branches))
                found.append(Problem(where, f"the choice has one branch; {{name: {name}, ...}} says the same"))
            case AnyOf((only,)):
                found.append(Problem(where, f"any has one value; {only!r} alone says the same"))
            case Range(high=high) if domain.top != high:
                message = f"high {high} is not a whole number of steps above low; the largest value is {domain.top}"
                found.append(Problem(where, message))
    return found


def _node(raw: Any, path: Path, problems: list[Problem]) -> Node:
    if isinstance(raw, Mapping):
        return _mapping(raw, path, problems)
    if isinstance(raw, list | tuple):
        return Items(tuple(_node(item, (*path, index), problems) for index, item in enumerate(raw)))
    return Constant(raw)


def _mapping(raw: Mapping[Any, Any], path: Path, problems: list[Problem]) -> Node:
    if "name" in raw or IMPORT in raw:
        return _section(raw, path, problems)
    for word, known, read in (
        ("choice", ["choice"], _choice),
        ("any", ["any"], _any),
        ("low", _RANGE_KEYS, _range),
        ("high", _RANGE_KEYS, _range),
    ):
        if word in raw:
            _report_unknown(raw, known, path, problems)
            return read(raw, path, problems)
    return _section(raw, path, problems)


def _section(raw: Mapping[Any, Any], path: Path, problems: list[Problem]) -> Section:
    return Section({str(key): _node(value, (*path, str(key)), problems) for key, value in raw.items()})


def _report_unknown(raw: Mapping[Any, Any], known: list[str], path: Path, problems: list[Problem]) -> None:
    for key in raw:
        if key not in known:
            hint = nearest(str(key), known)
            allowed = ", ".join(known)
            problems.append(
                Problem((*path, str(key)), f"unknown key {key!r} in a domain; allowed here: {allowed}{hint}")
            )


def _choice(raw: Mapping[Any, Any], path: Path, problems: list[Problem]) -> Node:
    branches, path = raw["choice"], (*path, "choice")
    if not isinstance(branches, Mapping) or not branches:
        problems.append(Problem(path, f"wanted at least one branch as {{name: {{...}}}}, read {branches!r}"))
        return Constant(None)
    return Choice({str(name): _branch(body, (*path, str(name)), problems) for name, body in branches.items()})


def _branch(body: Any, path: Path, problems: list[Problem]) -> Section:
    if body is None:
        body = {}
    if not isinstance(body, Mapping) or "choice" in body or "any" in body:
        problems.append(Problem(path, f"wanted the branch's keys and values, or {{}} for none, read {body!r}"))
        return Section({})
    if "name" in body:
        problems.append(Problem((*path, "name"), "a branch has its name already: the key it stands under"))
    return _section(body, path, problems)


def _any(raw: Mapping[Any, Any], path: Path, problems: list[Problem]) -> Node:
    values, path = raw["any"], (*path, "any")
    if not isinstance(values, list | tuple) or not values:
        problems.append(Problem(path, f"wanted a list of at least one value, read {values!r}"))
        return Constant(None)
    for index, value in enumerate(values):
        if isinstance(value, float) and not math.isfinite(value):
            problems.append(Problem((*path, index), f"wanted a finite number, read {value}"))
        elif is_searchable(_node(value, (*path, index), problems)):
            problems.append(Problem((*path, index), "a domain cannot stand in any; use choice, whose branches may"))
        elif any(same(value, earlier) for earlier in values[:index]):
            problems.append(Problem((*path, index), f"{value!r} stands in any twice"))
    return AnyOf(tuple(values))


def same(one: Any, other: Any) -> bool:
    """Tell whether two plain values are equal; 1 is 1.0, but not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _range(raw: Mapping[Any, Any], path: Path, problems: list[Problem]) -> Node:
    before = len(problems)
    for key in ("low", "high"):
        if key not in raw:
            problems.append(Problem(path, f"the range needs {key} too"))
    for key in ("low", "high", "step"):
        if key in raw:
            _check_number(raw[key], (*path, key), problems)
    try:
        log = checked(bool, raw.get("log", False))
    except ValueError as error:
        problems.append(Problem((*path, "log"), str(error)))
    if len(problems) > before:
        return Constant(None)
    found = Range(raw["low"], raw["high"], log, raw.get("step"))
    problems += [Problem((*path, key), message) for key, message in _impossible(found)]
    return found if len(problems) == before else Constant(None)


def _check_number(value: Any, path: Path, problems: list[Problem]) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        problems.append(Problem(path, f"wanted a finite number, read {value}"))
    elif type(value) is int and abs(value) > _LARGEST_WHOLE:
        problems.append(
            Problem(path, f"wanted a whole number within 2^53, read {value}; write a real number, as 1.0e20")
        )
    else:
        try:
            checked(float, value)
        except ValueError as error:
            problems.append(Problem(path, str(error)))


def _impossible(found: Range) -> list[tuple[str, str]]:
    low, high, step = found.low, found.high, found.step
    mistakes = []
    if low >= high:
        mistakes.append(("low", f"low {low} must be below high {high}"))
    elif not math.isfinite(float(high) - float(low)):
        mistakes.append(("high", f"the range {low} to {high} is too wide to draw from"))
    if found.log and low <= 0:
        mistakes.append(("low", f"a log range needs low > 0, read {low}"))
    if step is None or mistakes:
        return mistakes
    if found.log:
        mistakes.append(("step", "a log range has no step; leave out log or step"))
    if step <= 0:
        mistakes.append(("step", f"step must be > 0, read {step}"))
    elif (high - low) / step > _MOST_STEPS:
        mistakes.append(("step", f"step {step} cuts the range {low} to {high} into over a billion parts; leave it out"))
    elif found.steps < 1:
        mistakes.append(("step", f"step {step} is larger than the range {low} to {high}"))
    if found.integers and not isinstance(step, int):
        mistakes.append(("step", f"low and high are whole numbers, so step must be one, read {step}; or write {low}.0"))
    return mistakes
