"""What can be named in a study file: tables of entries whose parameters are read off their signatures.

A part of a trial (a mixing method, a dataset, a model, an optimizer ...) is a function. Its keyword-only
parameters are what a study file may set; their annotations say the type and the range (`Annotated[float,
Gt(0)]`), their defaults are the defaults. What the trial provides itself (the images, the number of classes)
is positional. So to add a part is to write a function and a line in its table.

`resolve` turns a plain configuration into a complete one (defaults filled, every mistake reported), `build` calls the
function. Where a table allows it, `{"import": "package.module:function", **parameters}` stands for an entry that is no
line of it: a function of one's own, read in the same way.

The checks stand here and not in pydantic, because a trial runs on these floors without it, and because a message has to
say what is allowed in the words of a study file.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_origin, get_type_hints

from tuner.errors import ConfigError, Path, Problem
from tuner.values import bounds, checked, describe, shown

REQUIRED = inspect.Parameter.empty
IMPORT = "import"


@dataclass(frozen=True)
class Nested:
    """A parameter that is itself an entry of `table`, or a list of such (`many`).

    `default` is a configuration, in the form `{"name": ..., **parameters}`.
    """

    table: Table
    default: Any = REQUIRED
    many: bool = False


@dataclass(frozen=True)
class Parameter:
    """One thing that a study file may set."""

    name: str
    annotation: Any
    default: Any = REQUIRED
    nested: Nested | None = None

    def as_json(self) -> dict[str, Any]:
        """Return name, type, range and default for `--json`."""
        if self.nested is not None:
            kind: dict[str, Any] = {"type": self.nested.table.kind, "choices": list(self.nested.table)}
        else:
            kind = {"type": describe(self.annotation), **bounds(self.annotation)}
        default = {} if self.default is REQUIRED else {"default": self.default}
        return {"name": self.name, "required": self.default is REQUIRED, **kind, **default}


@dataclass(frozen=True)
class Entry:
    """One line of a table: the function, its parameters, and what is known of it."""

    function: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    summary: str
    source: str = ""
    facts: Any = None

    def build(self, config: Mapping[str, Any], *context: Any) -> Any:
        """Call the function with `context` and the parameters of a resolved configuration."""
        arguments = {parameter.name: _built(parameter, config[parameter.name]) for parameter in self.parameters}
        return self.function(*context, **arguments)


@dataclass(frozen=True)
class Table(Mapping[str, Entry]):
    """The entries of one kind by name; `kind` is what a message calls one of them.

    `imported` makes the entry of a function of one's own, or raises a ValueError; None: this kind has none.
    """

    kind: str
    entries: Mapping[str, Entry] = field(default_factory=dict)
    imported: Callable[[str], Entry] | None = None

    def __getitem__(self, name: str) -> Entry:
        return self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def build(self, config: Mapping[str, Any], *context: Any) -> Any:
        """Build the entry that a resolved configuration names or imports."""
        return self.entry_of(config).build(config, *context)

    def entry_of(self, config: Mapping[str, Any]) -> Entry:
        """Return the entry that a configuration names or imports.

        Raises:
            ValueError: it cannot be imported.
        """
        if IMPORT not in config:
            return self[config["name"]]
        if self.imported is None:
            raise ValueError(f"a {self.kind} cannot be imported; known: {_list(self)}")
        return self.imported(config[IMPORT])


def called(config: Mapping[str, Any]) -> str:
    """Return what messages call a configured entry: its name, or what it is imported from."""
    return str(config.get("name", config.get(IMPORT)))


def entry(
    function: Callable[..., Any],
    *,
    nested: Mapping[str, Nested] | None = None,
    source: str = "",
    facts: Any = None,
) -> Entry:
    """Read an entry off a function: its keyword-only parameters and its docstring's first line."""
    nested = nested or {}
    hints = get_type_hints(function, include_extras=True)
    parameters = tuple(
        _parameter(name, hints[name], parameter.default, nested.get(name))
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    )
    summary = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
    return Entry(function, parameters, summary, source, facts)


def resolve(table: Table, config: Any, path: Path = ()) -> dict[str, Any]:
    """Return `config` complete: `{"name": ..., **every parameter}`, numbers in their parameter's type.

    A bare string stands for `{"name": string}`.

    Raises:
        ConfigError: with every mistake: an unknown name or key, a wrong type, a value out of range.
    """
    problems: list[Problem] = []
    resolved = _resolve(table, config, path, problems)
    if problems:
        raise ConfigError(problems)
    return resolved


def resolve_section(section: Entry, config: Any, path: Path = ()) -> dict[str, Any]:
    """Return the parameters of one unnamed section complete, as `resolve` does for a named entry."""
    problems: list[Problem] = []
    resolved = _resolve_parameters(section, config, path, problems)
    if problems:
        raise ConfigError(problems)
    return resolved


def nearest(word: str, known: list[str]) -> str:
    """Return a hint that names the known word closest to a misspelt one, or nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _parameter(name: str, annotation: Any, default: Any, nested: Nested | None) -> Parameter:
    return Parameter(name, annotation, nested.default if nested else default, nested)


def _built(parameter: Parameter, value: Any) -> Any:
    if parameter.nested is None:
        # A list comes as a tuple, though it was JSON in between, unless a list is what is asked for.
        return tuple(value) if isinstance(value, list) and get_origin(parameter.annotation) is not list else value
    if parameter.nested.many:
        return tuple(parameter.nested.table.build(item) for item in value)
    return parameter.nested.table.build(value)


def _resolve(table: Table, config: Any, path: Path, problems: list[Problem]) -> dict[str, Any]:
    if isinstance(config, str):
        config = {"name": config}
    if not isinstance(config, Mapping):
        problems.append(
            Problem(path, f"wanted a {table.kind} as {{name: ...}}, read {shown(config)}; known: {_list(table)}")
        )
        return {}
    if IMPORT in config:
        return _resolve_import(table, config, path, problems)
    name = config.get("name")
    if name is None:
        what = "a name" if table.imported is None else "a name or an import"
        problems.append(Problem(path, f"the {table.kind} needs {what}; known: {_list(table)}"))
        return {}
    if not isinstance(name, str) or name not in table:
        hint = nearest(str(name), list(table))
        problems.append(Problem((*path, "name"), f"unknown {table.kind} {name!r}; known: {_list(table)}{hint}"))
        return {}
    rest = {key: value for key, value in config.items() if key != "name"}
    return {"name": name, **_resolve_parameters(table[name], rest, path, problems, name)}


def _resolve_import(table: Table, config: Mapping[str, Any], path: Path, problems: list[Problem]) -> dict[str, Any]:
    """Resolve what is imported; a `name` beside it (the key of a choice, say) is a label."""
    reference, label = config[IMPORT], {key: config[key] for key in config if key == "name"}
    if label.get("name") in table:
        problems.append(Problem(path, f"name {label['name']} is the tuner's own {table.kind}; give name or import"))
        return {}
    try:
        found = table.entry_of({IMPORT: checked(str, reference)})
    except ValueError as error:
        problems.append(Problem((*path, IMPORT), str(error)))
        return {}
    rest = {key: value for key, value in config.items() if key not in (IMPORT, "name")}
    return {**label, IMPORT: reference, **_resolve_parameters(found, rest, path, problems, reference)}


def _resolve_parameters(
    section: Entry, config: Any, path: Path, problems: list[Problem], owner: str = ""
) -> dict[str, Any]:
    if not isinstance(config, Mapping):
        problems.append(Problem(path, f"wanted keys and values, read {shown(config)}"))
        return {}
    known = [parameter.name for parameter in section.parameters]
    for key in config:
        if key not in known:
            allowed = ", ".join(known) or "nothing"
            where = f" of {owner}" if owner else ""
            message = f"unknown key {key!r}{where}; allowed: {allowed}{nearest(str(key), known)}"
            problems.append(Problem((*path, key), message))
    resolved: dict[str, Any] = {}
    for parameter in section.parameters:
        if parameter.name in config:
            _resolve_value(parameter, config[parameter.name], (*path, parameter.name), problems, resolved)
        elif parameter.default is REQUIRED:
            wanted = describe(parameter.annotation)
            problems.append(Problem(path, f"{owner or 'this section'} needs {parameter.name}: {wanted}"))
        else:
            _resolve_value(parameter, parameter.default, (*path, parameter.name), problems, resolved)
    return resolved


def _resolve_value(
    parameter: Parameter, value: Any, path: Path, problems: list[Problem], resolved: dict[str, Any]
) -> None:
    nested = parameter.nested
    if nested is None:
        try:
            resolved[parameter.name] = checked(parameter.annotation, value)
        except ValueError as error:
            problems.append(Problem(path, str(error)))
    elif not nested.many:
        resolved[parameter.name] = _resolve(nested.table, value, path, problems)
    elif isinstance(value, list | tuple):
        resolved[parameter.name] = [
            _resolve(nested.table, item, (*path, index), problems) for index, item in enumerate(value)
        ]
    else:
        problems.append(Problem(path, f"wanted a list of {nested.table.kind}s, read {shown(value)}"))


def _list(table: Table) -> str:
    return ", ".join(table) or "none"
